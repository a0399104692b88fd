"""What the console's files are served with: the one table that the development server and CloudFront both follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FOREVER: Final = "public, max-age=31536000, immutable"
"""A file whose name has the hash of what is in it is never another."""
ASK_FIRST: Final = "no-cache"

ASSETS: Final = "assets/"
"""Where the files with a hash in their names are."""

SECURITY: Final[Mapping[str, str]] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # Where a link is followed from is nobody's business.
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


FRAMED: Final = "embed.html"
"""The booking page for frames of other sites, and the only one that they may show."""

NOBODY: Final = "'none'"


def security(path: str) -> Mapping[str, str]:
    """The headers of a file but its policy. Older browsers know who may frame a page by X-Frame-Options alone."""
    return {name: value for name, value in SECURITY.items() if (name, path) != ("X-Frame-Options", FRAMED)}


def content_security_policy(sign_in: str, uploads: str, parents: str = NOBODY) -> str:
    """What a page may load and call: its own origin, the hosted page's for tokens, and where sheets are uploaded to.

    `parents` are the origins whose pages may show it in a frame.

    No text ever becomes markup or code: Trusted Types, with no policy that could make any.
    """
    directives = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "manifest-src": "'self'",
        "img-src": f"'self' blob: data: {uploads}",
        "connect-src": f"'self' {sign_in} {uploads}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": parents or NOBODY,
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}".rstrip() for name, value in directives.items())


def cache_control(path: str) -> str:
    """How long a browser and CloudFront keep a file, by its path below the root."""
    return FOREVER if path.startswith(ASSETS) else ASK_FIRST
