"""The console on AWS: its stack, and its files in the stack's bucket.

What is live is what the pages at the root of the bucket say: they name their scripts and styles by hashes. So a release
puts those first, for ever; then its pages under its own name; and last it copies the pages to the root. Going back is
that copy alone.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tools.project import ROOT

CLIENT: Final = "Client"
"""Of the template."""


def template() -> dict[str, Any]:
    """The console stack's template."""
    content: dict[str, Any] = json.loads((ROOT / ".chalice" / "console.json").read_text(encoding="utf-8"))
    return content


def config(issuer: str, client: str, domain: str) -> str:
    """The file that tells the console where people sign in (docs/console.md)."""
    told = {
        "authority": issuer,
        "clientId": client,
        "domain": domain,
        "scope": " ".join(template()["Resources"][CLIENT]["Properties"]["AllowedOAuthScopes"]),
    }
    return json.dumps(told, indent=2) + "\n"
