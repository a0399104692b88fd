"""A DynamoDB that always takes the same time: canned answers over TLS, from a process of its own.

It knows a property, a visit, a page of fifty and an API key, finds every condition met, and keeps nothing. What it
stands in for is the wait and the bytes; what DynamoDB would say is for the emulator and the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from chalicelib.domain.api_keys import ApiKey, PresentedKey, Scope
from chalicelib.domain.properties import Property, PropertyDetails
from chalicelib.domain.signing_keys import Keyring
from chalicelib.domain.visits import Status, Visit, Visitor
from chalicelib.repositories.api_keys import api_key_item
from chalicelib.repositories.properties import property_item
from chalicelib.repositories.signing_keys import signing_keys_item
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from tools.project import HOST, REGION, ROOT

NAMES: Final = (f"*.{REGION}.amazonaws.com", f"*.ddb.{REGION}.amazonaws.com", "localhost")
NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PAGE: Final = 50

PROPERTY_ID: Final = "lake-house"
VISIT_ID: Final = "01956a3c-0000-7000-8000-000000000000"
TOKEN: Final = PresentedKey("0123456789abcdef", "s" * 43)


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: its port, and the file of the authorities that vouch for it."""

    port: int
    authorities: Path


@contextlib.contextmanager
def stand_in(latency_ms: float = 0) -> Iterator[StandIn]:
    """Runs one while the block does. Its authorities are botocore's and its own: as many to load as on Lambda."""
    with tempfile.TemporaryDirectory(prefix="visits-bench-") as scratch:
        folder = Path(scratch)
        _certify(folder)
        command = [sys.executable, "-m", "bench.stand_in", scratch, str(latency_ms)]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield StandIn(int(process.stdout.readline()), folder / "authorities.pem")
            finally:
                process.stdin.close()


def _certify(folder: Path) -> None:
    """A certificate for the names of AWS, signed by an authority that only this run knows."""
    authority_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    today = datetime.now(UTC)

    def begin(name: x509.Name, public_key: rsa.RSAPublicKey) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer, name, public_key, x509.random_serial_number())
        return builder.not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=2))

    authority = (
        begin(issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [*(x509.DNSName(name) for name in NAMES), x509.IPAddress(IPv4Address(HOST))]
    certificate = (
        begin(subject, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    known = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    # Named as the bundle names those that sign for AWS: it stands in for them too.
    heading = b"\n# Issuer: CN=Amazon Root CA of the stand-in\n"
    (folder / "authorities.pem").write_bytes(known + heading + authority.public_bytes(pem))


def canned() -> dict[str, dict[str, Any]]:
    """What is in the table, by key, in DynamoDB's own form."""
    details = PropertyDetails("Lake house", "Seestr. 12, 14467 Potsdam", Decimal("890000"), "EUR", "Europe/Berlin")
    digest = hashlib.sha256(TOKEN.secret.encode()).digest()
    key = ApiKey(TOKEN.id, "partner", digest, frozenset(Scope), NOW)
    kept = [
        property_item(Property(PROPERTY_ID, details, 1, NOW, NOW)),
        visit_item(_visit(0)),
        api_key_item(key),
        signing_keys_item(Keyring("first", {"first": b"\x00" * 32})),
    ]
    return {f"{item['pk']} {item['sk']}": serialized(item) for item in kept}


def _visit(number: int) -> Visit:
    visitor = Visitor("Ada Example", "ada@example.com", "+49 30 901820")
    date = datetime(2027, 3, 28, 8, 20, tzinfo=UTC) + timedelta(hours=number)
    id = f"{VISIT_ID[:-4]}{number:04x}"
    place, status = "At the gate", Status.CONFIRMED
    return Visit(
        id, PROPERTY_ID, date, 30, "Europe/Berlin", place, status, None, visitor, None, None, 1, NOW, NOW
    )  # fmt: skip


class _Answers:
    def __init__(self) -> None:
        self._items = canned()
        self._page = [serialized(visit_item(_visit(number))) for number in range(PAGE)]

    def to(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        if operation == "GetItem":
            key = asked["Key"]
            item = self._items.get(f"{key['pk']['S']} {key['sk']['S']}")
            return {"Item": item} if item else {}
        if operation == "Query" and "IndexName" not in asked:
            partition = asked["ExpressionAttributeValues"][":pk"]
            found = [item for item in self._items.values() if item["pk"] == partition]
            return {"Items": found, "Count": len(found), "ScannedCount": len(found)}
        if operation == "Query":
            return {"Items": self._page, "Count": PAGE, "ScannedCount": PAGE}
        return {}


async def _serve(certificate: Path, latency: float) -> None:
    answers = _Answers()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                headers = dict(line.partition(": ")[::2] for line in head.split("\r\n")[1:])
                asked = json.loads(await reader.readexactly(int(headers["content-length"])))
                operation = headers["x-amz-target"].rpartition(".")[2]
                body = _json(answers.to(OPERATIONS[operation], asked))
                if latency:
                    await asyncio.sleep(latency)
                writer.write(_response(body))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, HOST, 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    # It ends with whoever started it.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


OPERATIONS: Final = {
    name.lower(): name
    for name in ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
}


def _json(answer: dict[str, Any]) -> bytes:
    """As DynamoDB writes it: binary values in base64."""
    return json.dumps(answer, separators=(",", ":"), default=lambda value: b64encode(value).decode()).encode()


def _response(body: bytes) -> bytes:
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n"
        "x-amzn-RequestId: 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]) / "server.pem", float(sys.argv[2]) / 1000))
    os._exit(0)  # connections that somebody holds open are no reason to stay
