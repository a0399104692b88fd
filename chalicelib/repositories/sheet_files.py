"""The files of sheets in S3: uploads for a day, clean copies and answers of the recognition for thirty.

A link and a form are signed here and ask nobody. What is not there is answered 404 only to those who may list the
bucket: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.signers import RequestSigner, S3PostPresigner

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.sheets import UPLOAD_WITHIN, CannotRead, Failure, Sheet, Upload

FILES_KEPT: Final = timedelta(days=30)
LINK_SECONDS: Final = 300
TRIES: Final = 3

T = TypeVar("T")


def upload_key(sheet_id: str) -> str:
    return f"uploads/{sheet_id}"


def clean_key(sheet_id: str) -> str:
    return f"clean/{sheet_id}"


def answer_key(sheet_id: str) -> str:
    return f"answers/{sheet_id}.json.gz"


class S3SheetFiles:
    """The client, and who signs, are made when they are first needed."""

    def __init__(self, connect: Callable[[], Any], signer: Callable[[], RequestSigner], bucket: str) -> None:
        self._connect = connect
        self._make_signer = signer
        self._bucket = bucket

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    @cached_property
    def _signer(self) -> RequestSigner:
        return self._make_signer()

    def upload_form(self, sheet: Sheet) -> Upload:
        """Good for ten minutes, this key, this type and no more bytes than were announced."""
        key, kind = upload_key(sheet.id), str(sheet.kind)
        made = S3PostPresigner(self._signer).generate_presigned_post(
            self._request("POST"),
            {"key": key, "Content-Type": kind},
            [{"bucket": self._bucket}, {"key": key}, {"Content-Type": kind}, ["content-length-range", 1, sheet.size]],
            expires_in=int(UPLOAD_WITHIN.total_seconds()),
        )
        return Upload(made["url"], made["fields"], sheet.created_at + UPLOAD_WITHIN)

    def uploaded(self, sheet: Sheet) -> bytes | None:
        return self._get(upload_key(sheet.id), sheet.kind.most_bytes)

    def clean(self, sheet: Sheet) -> bytes | None:
        return self._get(clean_key(sheet.id), sheet.kind.most_bytes)

    def keep_clean(self, sheet: Sheet, content: bytes) -> None:
        self._put(clean_key(sheet.id), content, str(sheet.kind))

    def answer(self, sheet_id: str) -> Mapping[str, object] | None:
        content = self._get(answer_key(sheet_id))
        if content is None:
            return None
        answer: Mapping[str, object] = json.loads(gzip.decompress(content))
        return answer

    def keep_answer(self, sheet_id: str, answer: Mapping[str, object]) -> None:
        content = gzip.compress(json.dumps(answer, separators=(",", ":")).encode(), mtime=0)
        self._put(answer_key(sheet_id), content, "application/gzip")

    def keeps(self, sheet: Sheet, now: datetime) -> bool:
        return now < sheet.created_at + FILES_KEPT

    def link(self, sheet: Sheet) -> str:
        """For five minutes."""
        url: str = self._signer.generate_presigned_url(
            self._request("GET", clean_key(sheet.id)), "GetObject", expires_in=LINK_SECONDS
        )
        return url

    def discard_upload(self, sheet_id: str) -> None:
        self._delete(upload_key(sheet_id))

    def delete(self, sheet_id: str) -> None:
        for key in (upload_key(sheet_id), clean_key(sheet_id), answer_key(sheet_id)):
            self._delete(key)

    def _request(self, method: str, key: str = "") -> dict[str, Any]:
        """What is signed: the bucket, or an object in it, by its path."""
        url = f"{self._client.meta.endpoint_url.rstrip('/')}/{self._bucket}" + (f"/{key}" if key else "")
        return {"method": method, "url": url, "headers": {}, "body": b"", "query_string": {}, "context": {}}

    def _get(self, key: str, most_bytes: int | None = None) -> bytes | None:
        def get() -> bytes | None:
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                return None
            if most_bytes is not None and found["ContentLength"] > most_bytes:
                raise CannotRead(Failure.TOO_LARGE, f"it has more than {most_bytes >> 20} MB")
            content: bytes = found["Body"].read()
            return content

        return self._tried(get)

    def _put(self, key: str, content: bytes, kind: str) -> None:
        def put() -> None:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=kind)

        self._tried(put)

    def _delete(self, key: str) -> None:
        def delete() -> None:
            self._client.delete_object(Bucket=self._bucket, Key=key)

        self._tried(delete)

    def _tried(self, call: Callable[[], T]) -> T:
        """A call that may be made again. Raises StoreBusy."""
        for _ in range(TRIES - 1):
            try:
                with _faults():
                    return call()
            except StoreBusy:
                continue
        with _faults():
            return call()


@contextmanager
def _faults() -> Iterator[None]:
    """What S3 could not do now is StoreBusy; anything else stays a fault of ours."""
    try:
        yield
    except ClientError as fault:
        status = fault.response["ResponseMetadata"]["HTTPStatusCode"]
        if status >= 500 or status == 429:
            raise StoreBusy from fault
        raise
    except BotoCoreError as fault:
        raise StoreBusy from fault
