"""AWS clients that are told only what this service calls.

botocore makes them, and serialises, signs, retries and parses as ever. What costs time and pays nothing here is left
out by switches of its own: the descriptions of four hundred services (`data/` holds those of five, cut down to our
calls by `tools/generate/service_descriptions.py`), the handlers for what other services need, the check of parameters
that mypy has checked, and a user agent composed for each request. docs/performance.md says what each is worth.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.request import getproxies

from botocore import __version__
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.handlers import add_recursion_detection_header
from botocore.hooks import HierarchicalEmitter
from botocore.httpsession import get_cert_path
from botocore.loaders import Loader
from botocore.model import ServiceId
from botocore.session import Session
from botocore.signers import RequestSigner

from chalicelib.aws.connections import Connections

DATA: Final = Path(__file__).parent / "data"

SENDER: Final = "connections"
"""By this name what sends for a client can be taken off it again; then botocore sends."""

LEAN: Final = Config(
    user_agent=f"property-visits Botocore/{__version__}",
    parameter_validation=False,
)

_sending: Final[weakref.WeakKeyDictionary[Any, Connections]] = weakref.WeakKeyDictionary()
"""What sends for each client; behind a proxy, nothing of ours does."""

_NOBODY_LISTENS: Final = HierarchicalEmitter()
"""Here, because a signer keeps no hold of its own of whom it tells."""


def client(
    service: Literal["dynamodb", "events", "s3", "ses", "sqs", "textract"],
    config: Config,
    *,
    endpoint_url: str | None = None,
    region_name: str | None = None,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
) -> Any:
    """A client for the operations in `data/`; where it goes and as whom is found as boto3 finds it unless given."""
    session = Session(include_builtin_handlers=False)
    # The one of them that our calls need: by it Lambda knows that a function calls itself through a queue.
    session.register("before-call", cast(Any, add_recursion_detection_header))
    session.register_component("data_loader", Loader([str(DATA)], include_default_search_paths=False))
    made: Any = session.create_client(
        service,
        config=LEAN.merge(config),
        endpoint_url=endpoint_url,
        region_name=region_name,
        aws_access_key_id=aws_access_key_id,
        aws_secret_access_key=aws_secret_access_key,
    )
    # A proxy is botocore's business: then it sends by itself.
    if not getproxies():
        authorities: str = session.get_config_variable("ca_bundle") or get_cert_path(True) or ""
        connections = Connections(authorities, made.meta.config.connect_timeout, made.meta.config.read_timeout)
        _send_by(made, connections.send)
        _sending[made] = connections
        weakref.finalize(made, connections.close)
    return made


def rehearse(made: Any, call: Callable[[], object]) -> None:
    """Makes a call of the client that is not sent: what it loads and builds is there for the first that is."""
    if (connections := _sending.get(made)) is None:
        return
    _send_by(made, connections.rehearse)
    try:
        call()
    finally:
        _send_by(made, connections.send)


def _send_by(made: Any, sends: Callable[..., AWSResponse]) -> None:
    # Last, so that what else is hooked in sees a request before it is sent.
    made.meta.events.unregister("before-send", unique_id=SENDER)
    made.meta.events.register_last("before-send", sends, unique_id=SENDER)


def signer_of_files(region_name: str, access: tuple[str, str] | None = None) -> RequestSigner:
    """Signs links to objects of S3, and forms to upload them with, as whoever runs this, unless the access is given."""
    session = Session(include_builtin_handlers=False)
    if access is not None:
        session.set_credentials(*access)
    credentials: Any = session.get_credentials()
    return RequestSigner(ServiceId("S3"), region_name, "s3", "s3v4", credentials, _NOBODY_LISTENS)
