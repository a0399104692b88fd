"""Sheets as the tests drive them: a bucket that tells a queue, a recognition that is asked, and who reads."""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

import app as entry
from chalicelib.aws.clients import client, signer_of_files
from chalicelib.container import FILES, utc_now
from chalicelib.functions import Function
from chalicelib.repositories.sheet_files import S3SheetFiles
from chalicelib.services import ports
from devstack.worker import QueueWorker, working
from tests.fake_sheets import FakeRecognition
from tests.integration.api import Api, serve
from tests.integration.intake import LambdaContext, Mailbox, event_of, mailbox
from tests.pictures import a_png
from tests.sheets import AGENCY, an_answer
from tools.operate import sheets as tool
from tools.project import REGION

if TYPE_CHECKING:
    from tests.integration.conftest import FreshTable

PATIENCE_SECONDS = 60
SECRET = "test"
"""By which ministack checks what any of its accounts has signed."""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KINDS = {"csv": "text/csv", "ndjson": "application/x-ndjson", "xlsx": XLSX, "jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True)
class Desk:
    """The API with its intake worker, the bucket of sheets and the queue that it tells."""

    api: Api
    box: Mailbox
    s3: Any
    bucket: str
    queue_url: str
    recognition: FakeRecognition
    files: S3SheetFiles

    def announce(self, content: bytes, kind: str = "csv", **more: object) -> httpx.Response:
        body = {"name": "visits", "contentType": KINDS[kind], "size": len(content), "timeZone": "Europe/Berlin"}
        return self.api.post("/sheets", body | more)

    def upload(self, content: bytes, kind: str = "csv", **more: object) -> str:
        """Announces and uploads; gives the sheet's id."""
        announced = self.announce(content, kind, **more)
        assert announced.status_code == 201, announced.text
        sheet: dict[str, Any] = announced.json()
        assert self.send(sheet["upload"], content).status_code == 204
        return str(sheet["id"])

    def send(self, form: Mapping[str, Any], content: bytes, **fields: str) -> httpx.Response:
        files = {"file": ("sheet", content, "application/octet-stream")}
        return httpx.post(form["url"], data={**form["fields"], **fields}, files=files, trust_env=False, verify=False)

    def notices(self, wait_seconds: int = 1) -> list[Mapping[str, Any]]:
        """What S3 has told the queue and nobody has taken."""
        answer = self.box.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            WaitTimeSeconds=wait_seconds,
        )
        return [*answer.get("Messages", [])]

    def read(self) -> None:
        """Has everything read that was uploaded."""
        messages = self.notices()
        while messages:
            for message in messages:
                self.handle(message)
            # Whatever else was uploaded has been told of meanwhile.
            messages = self.notices(wait_seconds=0)

    def handle(self, message: Mapping[str, Any]) -> None:
        """As Lambda does: what returns is deleted; what raises is handed out again, here at once."""
        try:
            entry.read_sheet(event_of([message]), LambdaContext())
        except Exception:
            self.box.sqs.change_message_visibility(
                QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
            raise
        self.box.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def sheet(self, content: bytes, kind: str = "csv", **more: object) -> str:
        """A sheet that was uploaded and read."""
        id = self.upload(content, kind, **more)
        self.read()
        return id

    def told(self, id: str) -> dict[str, Any]:
        sheet: dict[str, Any] = self.api.get(f"/sheets/{id}").json()
        return sheet

    def rows(self, id: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        page = self.api.get(f"/sheets/{id}/rows", limit=100).json()
        rows += page["items"]
        while page["nextCursor"]:
            page = self.api.get(f"/sheets/{id}/rows", limit=100, cursor=page["nextCursor"]).json()
            rows += page["items"]
        return rows

    def register(self, id: str, **body: object) -> httpx.Response:
        return self.api.post(f"/sheets/{id}/register", body)

    def registered(self, id: str) -> dict[str, Any]:
        """The sheet once what was handed in is worked off."""
        answer = self.register(id)
        assert answer.status_code == 202, answer.text
        self.box.work()
        self.wait(lambda: self.told(id)["status"] != "registering")
        return self.told(id)

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not until():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stored(self) -> list[str]:
        """Everything that lies in the bucket."""
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]

    def visits(self, property_id: str) -> list[dict[str, Any]]:
        years = {"from_": "2026-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z"}
        listed = self.api.get("/visits", propertyId=property_id, limit=100, **years)
        visits: list[dict[str, Any]] = listed.json()["items"]
        return visits


@contextlib.contextmanager
def desk(
    table: FreshTable, clock: Callable[[], Any] = utc_now, textract: ports.Recognition | None = None
) -> Iterator[Desk]:
    """Pictures are recognised as its `recognition` is told to, or by `textract`."""
    access = {**table.access}
    endpoint, account = access["endpoint_url"], access["aws_access_key_id"]
    # The stubs know a client by its literal name alone.
    made: Any = boto3.client
    s3 = made("s3", endpoint_url=endpoint, region_name=REGION, **_keys(account))
    bucket = f"sheets-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    lean = client("s3", FILES, endpoint_url=endpoint, region_name=REGION, **_keys(account))
    files = S3SheetFiles(lambda: lean, lambda: signer_of_files(REGION, (account, SECRET)), bucket)
    recognition = FakeRecognition()
    with (
        mailbox(table) as box,
        serve(box.table, clock, files=files, recognition=textract or recognition) as api,
    ):
        queue_url = box.sqs.create_queue(QueueName=f"{bucket}-queue", Attributes={"VisibilityTimeout": "60"})[
            "QueueUrl"
        ]
        arn = box.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        only = {"Key": {"FilterRules": [{"Name": "prefix", "Value": "uploads/"}]}}
        rule = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": only}
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [rule]}
        )
        yield Desk(api, box, s3, bucket, queue_url, recognition, files)


def _keys(account: str) -> dict[str, str]:
    return {"aws_access_key_id": account, "aws_secret_access_key": account}


def csv(*rows: str, header: str = "propertyId,date,time,visitorName") -> bytes:
    return "\n".join([header, *rows, ""]).encode()


def notice(sheet_id: str) -> str:
    """What S3 tells of an upload."""
    return json.dumps(
        {"Records": [{"eventName": "ObjectCreated:Post", "s3": {"object": {"key": f"uploads/{sheet_id}"}}}]}
    )


def sheets_tour(office: Desk) -> list[httpx.Response]:
    """Every route of sheets, and the reader with whatever it does."""
    house = office.api.property("sheets-house", capacity=5)
    office.recognition.answer = an_answer([["Property", "Date", "Time"], [house, "2028-03-12", "10:30"]])
    file = office.sheet(csv(f"{house},2028-03-12,10:30,Ada", f"{house},2028-03-13,half five,Ben"))
    picture = office.sheet(a_png(1), "png")
    office.sheet(b"nothing of a table")
    (row,) = office.rows(picture)
    where = f"/sheets/{picture}/rows/{row['row']}"
    answers = [
        office.announce(b"x", sha256="0" * 64),
        office.api.get("/sheets"),
        office.api.get(f"/sheets/{file}"),
        office.api.get(f"/sheets/{file}/rows"),
        office.api.get(where),
        office.api.patch(where, {"propertyId": house}),
        office.api.put(f"/sheets/{file}/reading", {"timeZone": "Europe/Madrid", "propertyId": house}),
        office.api.put(f"/sheets/{picture}/reading", {"timeZone": "Europe/Madrid"}),
        office.register(picture),
        office.api.get(f"/sheets/{picture}/export", include="picture"),
        office.api.get(f"/sheets/{picture}/picture"),
        office.api.http.delete(f"/sheets/{picture}"),
    ]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers if not answer.is_success]
    return answers


@dataclass(frozen=True)
class Eager:
    """A worker that looks again at once: the usual one waits a second at an empty queue, also when it is to stop."""

    worker: QueueWorker

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if not self.worker.work_once():
                stop.wait(0.05)


@dataclass(frozen=True)
class Site:
    """The API with its workers, and a person with a file and a key."""

    desk: Desk
    workers: tuple[Eager, ...]

    def run(self, path: Path, *options: str, what: str = "import") -> int:
        with pytest.MonkeyPatch.context() as patch, working(*self.workers):
            patch.setenv("VISITS_KEY", self.key)
            patch.setattr(tool, "PAUSE_SECONDS", 0.05)
            url = str(self.desk.api.http.base_url)
            return tool.main([what, str(path), "--url", url, "--zone", "Europe/Berlin", *options])

    @property
    def key(self) -> str:
        return self.desk.api.http.headers["Authorization"].removeprefix("Bearer ")


@contextlib.contextmanager
def importing(table: FreshTable) -> Iterator[Site]:
    """With the properties that the files of the tests name."""
    with desk(table) as made:
        for each in AGENCY.properties:
            made.api.property(each.id, name=each.name, address=each.address, capacity=2 if "cap2" in each.id else 1)
        sqs, handlers = made.box.sqs, entry.app.handler_map
        queues = {Function.WORKER: made.box.url, Function.READER: made.queue_url}
        workers = [
            Eager(QueueWorker(handlers[function], sqs, url.rsplit("/", 1)[1], function))
            for function, url in queues.items()
        ]
        yield Site(made, tuple(workers))
