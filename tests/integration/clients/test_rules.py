"""What rule sets of others say of the contract. Every exception is in their configuration here, with the reason."""

from __future__ import annotations

from pathlib import Path

from tests.integration.clients.generators import MODULES, node, run
from tools.generate.openapi import FILE

RULES = Path(__file__).parent


def test_redocly_finds_nothing_by_its_strict_rules() -> None:
    run(node(MODULES / "@redocly/cli/bin/cli.js", "lint", FILE, "--config", RULES / "redocly.yaml"))


def test_spectral_finds_nothing_by_its_rules_for_openapi() -> None:
    rules = ("--ruleset", RULES / "spectral.yaml", "--fail-severity", "hint")
    run(node(MODULES / "@stoplight/spectral-cli/dist/index.js", "lint", FILE, *rules))
