"""The clients that the container makes go where boto3's go, with less; and survive what a network does."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)

from bench.stand_in import StandIn, stand_in
from chalicelib.aws.clients import DATA, client
from tools.generate.service_descriptions import descriptions

ONCE = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 1})
TWICE = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
KEYS: dict[str, Any] = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
REGIONS = ["eu-central-1", "us-east-1", "cn-north-1", "us-gov-west-1"]


class Stop(BaseException):
    """The request is seen; it need not be sent."""


def get(dynamodb: Any) -> dict[str, Any]:
    found: dict[str, Any] = dynamodb.get_item(TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
    return found


def sent(made: Any, call: Callable[[Any], object]) -> tuple[str, str, bytes]:
    """Where a call goes, the scope that it is signed for, and its body."""
    seen: list[Any] = []

    def look(request: Any, **_: object) -> None:
        seen.append(request)
        raise Stop

    made.meta.events.register_first("before-send", look)
    with pytest.raises(Stop):
        call(made)
    (request,) = seen
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
    scope = headers["Authorization"].partition("Credential=")[2].partition(",")[0].split("/", 2)[2]
    return request.url, scope, request.body


@pytest.mark.parametrize("region", REGIONS)
def test_every_call_goes_where_boto3_would_send_it(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    theirs = Config(account_id_endpoint_mode="disabled")
    for ours, boto3s, call in (
        (
            client("dynamodb", ONCE, region_name=region, **KEYS),
            boto3.client("dynamodb", config=theirs, region_name=region, **KEYS),
            get,
        ),
        (
            client("sqs", ONCE, region_name=region, **KEYS),
            boto3.client("sqs", config=theirs, region_name=region, **KEYS),
            lambda sqs: sqs.get_queue_url(QueueName="q"),
        ),
    ):
        assert sent(ours, call) == sent(boto3s, call)


def test_the_descriptions_are_what_the_pinned_botocore_says() -> None:
    kept = {str(file.relative_to(DATA)): file.read_text(encoding="utf-8") for file in DATA.rglob("*.json")}
    assert kept == descriptions(), "run make descriptions"


def test_of_our_own_client_nothing_loads_boto3() -> None:
    code = "import chalicelib.container, sys; print([name for name in sys.modules if name.startswith('boto3')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def store() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


def to(address: str, config: Config = ONCE) -> Any:
    return client("dynamodb", config, endpoint_url=address, region_name="eu-central-1", **KEYS)


def test_an_authority_of_the_bundle_is_trusted_whoever_it_is(
    store: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bundle that does not name the authority as Amazon's is read whole, once it is needed."""
    strange = tmp_path / "authorities.pem"
    named = store.authorities.read_text(encoding="utf-8")
    strange.write_text(named.replace("CN=Amazon Root CA of the stand-in", "CN=Somebody else"), encoding="utf-8")
    assert strange.read_text(encoding="utf-8") != named
    monkeypatch.setenv("AWS_CA_BUNDLE", str(strange))
    dynamodb = to(f"https://localhost:{store.port}")
    assert get(dynamodb)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_an_authority_that_is_not_in_the_bundle_is_not_trusted(store: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    with pytest.raises(SSLError):
        get(to(f"https://localhost:{store.port}"))


def test_a_certificate_for_another_name_is_not_trusted(store: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(store.authorities))
    here = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", store.port))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: here)
    assert get(to("https://dynamodb.eu-central-1.amazonaws.com"))
    with pytest.raises(SSLError):
        get(to("https://dynamodb.us-east-1.amazonaws.com"))


class Moody(BaseHTTPRequestHandler):
    """Answers as its server is told to."""

    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        mood = self.server.moods.pop(0) if self.server.moods else "answer"
        self.server.seen.append(mood)
        if mood == "silent":
            self.server.over.wait(10)
        if mood in ("silent", "hang up"):
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        if mood == "answer, then hang up":
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def finish(self) -> None:
        super().finish()
        self.server.ended.set()


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Moody)
        self.moods: list[str] = []
        self.seen: list[str] = []
        self.connections = 0
        self.over = threading.Event()
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


def test_one_connection_serves_one_call_after_the_other(server: Server) -> None:
    dynamodb = to(server.address)
    for _ in range(5):
        get(dynamodb)
    assert server.connections == 1


def test_a_connection_that_the_service_has_closed_meanwhile_costs_no_attempt(server: Server) -> None:
    server.moods += ["answer, then hang up"]
    dynamodb = to(server.address)
    get(dynamodb)
    assert server.ended.wait(10)
    get(dynamodb)
    assert server.connections == 2
    assert len(server.seen) == 2


@pytest.mark.parametrize(("mood", "fault"), [("hang up", ConnectionClosedError), ("silent", ReadTimeoutError)])
def test_a_fault_of_the_network_is_what_botocore_calls_it_and_is_tried_again(
    server: Server, mood: str, fault: type[BotoCoreError], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.moods += [mood]
    with pytest.raises(fault):
        get(to(server.address))
    server.moods += [mood]
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert get(to(server.address, TWICE))["ResponseMetadata"]["RetryAttempts"] == 1


def test_nobody_listening_is_no_connection(server: Server) -> None:
    with pytest.raises(EndpointConnectionError):
        get(to("http://127.0.0.1:1"))


def test_a_service_that_does_not_take_the_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("socket.create_connection", never)
    with pytest.raises(ConnectTimeoutError):
        get(to("http://127.0.0.1:1"))


def test_with_a_proxy_botocore_sends_by_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.address)
    get(to("http://dynamodb.invalid"))
    assert server.seen == ["answer"]


def test_lambda_can_tell_a_function_that_calls_itself(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "visits")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-abc;Lineage=1:a:0")
    dynamodb = to(server.address)
    headers: list[Any] = []
    dynamodb.meta.events.register_first("before-send", lambda request, **_: headers.append(request.headers))
    get(dynamodb)
    assert headers[0]["X-Amzn-Trace-Id"] in ("Root=1-abc;Lineage=1:a:0", b"Root=1-abc;Lineage=1:a:0")
