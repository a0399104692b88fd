"""Writes pipeline.json anew."""

from tools.pipeline.template import FILE, written

FILE.write_text(written(), encoding="utf-8")
