"""Textract as the reader asks it: patiently, and never twice for an answer that may be on its way."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.sheets import CannotRead, Failure
from chalicelib.repositories.recognition import LATER, LONGEST_PAUSE_SECONDS, TRIES, NoRecognition, Textract


class Service:
    """Answers what it is told to, one after the other, and an empty page in the end."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def analyze_document(self, **given: Any) -> dict[str, Any]:
        self.asked.append(given)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            raise ClientError({"Error": {"Code": answer, "Message": ""}}, "AnalyzeDocument")
        return {"Blocks": [], "DocumentMetadata": {"Pages": 1}, "ResponseMetadata": {"RequestId": "x"}}


@pytest.mark.parametrize("code", sorted(LATER))
def test_being_told_to_come_back_it_comes_back_after_more_than_a_second(code: str) -> None:
    pauses: list[float] = []
    service = Service(*[code] * 3)
    answer = Textract(lambda: service, pauses.append).analyse(b"picture")
    assert answer.keys() >= {"Blocks"}
    assert "ResponseMetadata" not in answer
    assert len(service.asked) == 4
    assert all(1 <= pause <= LONGEST_PAUSE_SECONDS for pause in pauses)
    assert service.asked[0] == {"Document": {"Bytes": b"picture"}, "FeatureTypes": ["TABLES"]}


def test_in_the_end_the_queue_has_the_patience() -> None:
    service = Service(*["ThrottlingException"] * 100)
    with pytest.raises(StoreBusy):
        Textract(lambda: service, lambda _: None).analyse(b"picture")
    assert len(service.asked) == TRIES


def test_what_was_not_answered_is_not_asked_for_again_at_once() -> None:
    service = Service(ReadTimeoutError(endpoint_url="https://textract"))
    with pytest.raises(StoreBusy):
        Textract(lambda: service, lambda _: None).analyse(b"picture")
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("UnsupportedDocumentException", Failure.UNSUPPORTED),
        ("BadDocumentException", Failure.UNREADABLE),
        ("DocumentTooLargeException", Failure.TOO_LARGE),
    ],
)
def test_what_cannot_be_recognised_is_told_to_the_sender(code: str, failure: Failure) -> None:
    with pytest.raises(CannotRead) as refused:
        Textract(lambda: Service(code)).analyse(b"picture")
    assert refused.value.failure is failure


def test_a_missing_right_stays_a_fault_of_ours() -> None:
    with pytest.raises(ClientError):
        Textract(lambda: Service("AccessDeniedException")).analyse(b"picture")


def test_where_nothing_recognises_pictures_that_is_told_at_once() -> None:
    with pytest.raises(CannotRead, match=r"docs/sheets\.md"):
        NoRecognition().analyse(b"picture")
