"""What the pages for visitors say of the agency by themselves: without JavaScript, and when nothing else answers.

`make run` and a release write it into the built pages, from the settings of the stage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from tools.deliver.console_headers import FRAMED

PAGES: Final = ("book.html", FRAMED)
BODY: Final = "<body>"
CALL: Final = "<!-- whom to call -->"


@dataclass(frozen=True)
class Agency:
    """Whose pages they are; what is not set is empty."""

    name: str = ""
    phone: str = ""

    @classmethod
    def of(cls, variables: Mapping[str, Any]) -> Agency:
        """As the environment variables of a stage have it."""
        return cls(variables.get("AGENCY_NAME", ""), variables.get("AGENCY_PHONE", ""))

    def named_in(self, path: str, content: bytes) -> bytes:
        """A file of the console as it is served."""
        if path not in PAGES:
            return content
        body = f'<body data-name="{escape(self.name)}" data-phone="{escape(self.phone)}">'
        return content.decode().replace(BODY, body).replace(CALL, self._call()).encode()

    def _call(self) -> str:
        if not self.phone:
            return ""
        number = re.sub(r"\(0\)|[^+0-9]", "", self.phone)
        return f'<p><a class="btn big main" href="tel:{number}">{escape(f"{self.name} {self.phone}".strip())}</a></p>'


NAMELESS: Final = Agency()
