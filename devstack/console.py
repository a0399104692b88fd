"""The console of `make run`: its files at `/`, and the API once more under `/api`, as CloudFront serves both.

It stands before the gateway of the development server, and nowhere else. Files are read anew for each request, so what
was built a moment ago is what one sees.
"""

import json
import mimetypes
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from devstack.gateway import Answer, Call, Gateway
from tools.deliver.booking_page import NAMELESS, Agency
from tools.deliver.console_headers import FRAMED, NOBODY, cache_control, content_security_policy, security
from tools.project import ROOT

BUILT: Final = ROOT / "build" / "console"
API: Final = "/api"
CONFIG: Final = "config.json"
"""Where people sign in: `authority`, `clientId` and `domain`. Beside the console's files on AWS."""

NOT_BUILT: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Visits</title>
<h1>The console is not built yet</h1><p>make console builds it. The API answers all the same.</html>
"""


@dataclass(frozen=True)
class Console:
    """A gateway that serves the console's files by itself, and hands everything else on."""

    gateway: Gateway
    config: Path
    uploads: str
    """The origin that sheets are uploaded to."""
    folder: Path = BUILT
    parents: str = NOBODY
    """The origins whose pages may show the booking page in a frame."""
    agency: Agency = NAMELESS

    def answer(self, call: Call) -> Answer:
        if call.path.startswith(f"{API}/"):
            return self.gateway.answer(replace(call, path=call.path.removeprefix(API), stage=API))
        if call.method in ("GET", "HEAD") and (file := self._file(call.path)):
            path, content = file
            kind, _ = mimetypes.guess_type(path)
            return self._page(path, content, kind or "application/octet-stream")
        return self.gateway.answer(call)

    def _file(self, path: str) -> tuple[str, bytes] | None:
        """The name and content of a file of the console."""
        name = path.removeprefix("/") or "index.html"
        if name == CONFIG:
            return (name, self.config.read_bytes()) if self.config.exists() else None
        # Looked up among the files that there are: no address that was asked for becomes a path.
        built = {file.relative_to(self.folder).as_posix(): file for file in self.folder.rglob("*") if file.is_file()}
        if name in built:
            return name, built[name].read_bytes()
        return (name, NOT_BUILT) if name == "index.html" else None

    def _page(self, path: str, content: bytes, kind: str) -> Answer:
        parents = self.parents if path == FRAMED else NOBODY
        policy = content_security_policy(self._sign_in(), self.uploads, parents)
        headers = {
            **security(path),
            "Content-Type": f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
            "Content-Security-Policy": policy,
            "Cache-Control": cache_control(path),
        }
        return Answer(200, list(headers.items()), self.agency.named_in(path, content))

    def _sign_in(self) -> str:
        if not self.config.exists():
            return ""
        domain: str = json.loads(self.config.read_text(encoding="utf-8"))["domain"]
        return domain
