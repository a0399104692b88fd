"""What fits through a Lambda function: its event and its answer are JSON of 6 MB at most, and bodies are part of it.

AWS counts 6 MB as 6,291,456 bytes, for the event and for the answer of a synchronous call alike:
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from typing import Final

MOST_BYTES_OF_PAYLOAD: Final = 6 * 1024 * 1024

MOST_BYTES_ENCODED: Final = 6_000_000
"""A body as it stands in that JSON. What is around it has the other 291,456 bytes: the gateway lets 10,240 bytes of
headers and address through, which an event repeats two or three times, with quotes escaped and names around them.
"""

LARGEST_BODY: Final = MOST_BYTES_ENCODED // 4 * 3
"""4,500,000 bytes. The gateway takes every media type for binary (`*/*`), so a body comes in base64: four letters for
three bytes, whatever it says. As text it would grow by its quotes, up to twice its size.
"""


def passes(text: str) -> bool:
    """Whether Lambda lets it through as a body: some of its runtimes escape every letter beyond ASCII."""
    return len(json.dumps(text)) <= MOST_BYTES_ENCODED
