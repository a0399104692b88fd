"""Amazon Textract: pictures as bytes in, the tables on them out.

https://docs.aws.amazon.com/textract/latest/dg/API_AnalyzeDocument.html. Many accounts may ask once a second; who is
told to come back waits a little over that, and the queue has the rest of the patience.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.patience import CHANCE
from chalicelib.domain.sheets import CannotRead, Failure

TRIES: Final = 8
LONGEST_PAUSE_SECONDS: Final = 4.0

KEPT: Final = ("Blocks", "DocumentMetadata", "AnalyzeDocumentModelVersion")
"""Of an answer: the rest is about the call."""
LATER: Final = frozenset({"ProvisionedThroughputExceededException", "ThrottlingException", "LimitExceededException"})
REFUSED: Final[Mapping[str, CannotRead]] = {
    "UnsupportedDocumentException": CannotRead(
        Failure.UNSUPPORTED, "it cannot be recognised: a JPEG, a PNG, or a PDF of one page without a password"
    ),
    "BadDocumentException": CannotRead(Failure.UNREADABLE, "the picture cannot be read: photograph the sheet anew"),
    "DocumentTooLargeException": CannotRead(Failure.TOO_LARGE, "the picture is too large: make it less"),
}


class Textract:
    def __init__(self, connect: Callable[[], Any], sleep: Callable[[float], None] = time.sleep) -> None:
        self._connect = connect
        self._sleep = sleep

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    def analyse(self, picture: bytes) -> Mapping[str, object]:
        """Costs a page of tables for every picture that was answered; being told to come back costs nothing."""
        for _ in range(TRIES):
            try:
                answer = self._client.analyze_document(Document={"Bytes": picture}, FeatureTypes=["TABLES"])
            except ClientError as fault:
                code = fault.response["Error"]["Code"]
                if code in REFUSED:
                    why = REFUSED[code]
                    raise CannotRead(why.failure, why.advice) from fault
                if code not in LATER:
                    raise
                self._sleep(CHANCE.uniform(1, LONGEST_PAUSE_SECONDS))
            except BotoCoreError as fault:
                # It may have been recognised and be paid for; asked again at once it would not be answered sooner.
                raise StoreBusy from fault
            else:
                return {
                    name: answer.get(name) for name in ("Blocks", "DocumentMetadata", "AnalyzeDocumentModelVersion")
                }
        raise StoreBusy


class NoRecognition:
    """Where nothing can recognise a picture: it is told at once, and not tried again and again."""

    def analyse(self, picture: bytes) -> Mapping[str, object]:
        raise CannotRead(Failure.UNSUPPORTED, "pictures cannot be recognised here, files can be read (docs/sheets.md)")
