"""Writes pipeline.json anew."""

from tools.generate.pipeline.template import FILE, written

FILE.write_text(written(), encoding="utf-8")
