"""A DynamoDB that always takes the same time: canned answers over TLS, from a process of its own.

It knows two properties and a visit, finds every condition met, and keeps nothing: it stands in for the wait and the
bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bench.samples import HOUSE, NOW, OFFICE, OFFICE_HOURS, PROPERTY_ID, TAKEN, VISIT
from chalicelib.domain.availability import Availability
from chalicelib.domain.properties import Property
from chalicelib.domain.signing_keys import Keyring
from chalicelib.repositories.availability import availability_item
from chalicelib.repositories.properties import property_item
from chalicelib.repositories.signing_keys import signing_keys_item
from chalicelib.repositories.slots import holder, property_slot, slot_ttl
from chalicelib.repositories.table import serialized
from chalicelib.repositories.visits import visit_item
from tools.project import HOST, REGION, ROOT


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: its port, and the file of the authorities that vouch for it."""

    port: int
    authorities: Path


@contextlib.contextmanager
def stand_in(latency_ms: float = 0) -> Iterator[StandIn]:
    """Runs one while the block does. Its authorities are botocore's and its own: as many to load as on Lambda."""
    with tempfile.TemporaryDirectory(prefix="visits-bench-") as scratch:
        _certify(Path(scratch))
        command = [sys.executable, "-m", "bench.stand_in", scratch, str(latency_ms)]
        # It ends when its standard input does.
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            with process.stdin:
                yield StandIn(int(process.stdout.readline()), Path(scratch) / "authorities.pem")


def _certify(folder: Path) -> None:
    """A certificate for the names of AWS, which is its own authority: only this run knows it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    hosts = [x509.DNSName(host) for host in (f"*.{REGION}.amazonaws.com", f"*.ddb.{REGION}.amazonaws.com", "localhost")]
    public, serial, today = key.public_key(), x509.random_serial_number(), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, public, serial, today - timedelta(days=1), today + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([*hosts, x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    signed = certificate.public_bytes(pem)
    (folder / "server.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none) + signed)
    known = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    # Named as the bundle names those that sign for AWS: it stands in for them too.
    (folder / "authorities.pem").write_bytes(known + b"\n# Issuer: CN=Amazon Root CA of the stand-in\n" + signed)


def canned() -> dict[str, dict[str, Any]]:
    """What is in the table, by key, in DynamoDB's own form."""
    kept = [
        property_item(Property(PROPERTY_ID, HOUSE, 1, NOW, NOW)),
        property_item(Property(OFFICE, HOUSE, 1, NOW, NOW)),
        availability_item(Availability(OFFICE, OFFICE_HOURS, 1, NOW, NOW)),
        visit_item(VISIT),
        signing_keys_item(Keyring("first", {"first": b"\x00" * 32})),
        *(
            {**property_slot(OFFICE, quarter), "holders": {holder(visit)}, "ttl": slot_ttl(quarter)}
            for quarter, visit in TAKEN
        ),
    ]
    return {f"{item['pk']} {item['sk']}": serialized(item) for item in kept}


async def _serve(certificate: Path, latency: float) -> None:
    kept = canned()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                headers = dict(line.partition(": ")[::2] for line in head.split("\r\n")[1:])
                asked = json.loads(await reader.readexactly(int(headers["content-length"])))
                if latency:
                    await asyncio.sleep(latency)
                writer.write(_response(_answer(kept, headers["x-amz-target"], asked)))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(talk, HOST, 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _answer(kept: Mapping[str, Any], target: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """To a read of one item, or of a whole partition; writes are told that they were done."""
    if target.endswith(".getitem"):
        found = kept.get(" ".join(value["S"] for value in asked["Key"].values()))
        return {"Item": found} if found else {}
    if target.endswith(".query"):
        items = [item for item in kept.values() if item["pk"] == asked["ExpressionAttributeValues"][":pk"]]
        if only := asked.get("ProjectionExpression"):
            items = [{name: item[name] for name in only.split(", ") if name in item} for item in items]
        return {"Items": items, "Count": len(items), "ScannedCount": len(items)}
    return {}


def _response(answer: dict[str, Any]) -> bytes:
    """As DynamoDB writes it: binary values in base64."""
    body = json.dumps(answer, separators=(",", ":"), default=lambda value: b64encode(value).decode()).encode()
    head = (
        "HTTP/1.1 200 OK\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\nx-amzn-RequestId: {'0123456789ABCDEF' * 3}0123\r\n"
        f"x-amz-crc32: {zlib.crc32(body)}\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]) / "server.pem", float(sys.argv[2]) / 1000))
    os._exit(0)  # connections that somebody holds open are no reason to stay
