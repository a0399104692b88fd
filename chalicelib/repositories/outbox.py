"""Where mail leaves: SES, as mail that is written already, one recipient at a time.

https://docs.aws.amazon.com/ses/latest/APIReference/API_SendRawEmail.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.domain.errors import StoreBusy
from chalicelib.domain.notices import NoMoreMail, Undeliverable

NO_ADDRESS: Final = "InvalidParameterValue"
"""With this SES says that an address is none."""

BUSY: Final = frozenset({"Throttling", "ThrottlingException", "ServiceUnavailable", "RequestTimeout"})
"""With these that it may take the mail later. Whatever else it says is about the account, and a fault."""

SERVERS_FAULT: Final = 500


class SesOutbox:
    """The client is made by `connect` when it is first needed."""

    def __init__(self, connect: Callable[[], Any], configuration_set: str | None = None) -> None:
        self._connect = connect
        self._configuration_set = configuration_set

    def send(self, address: str, mail: bytes, tags: Mapping[str, str]) -> None:
        """One call, which is not repeated: whoever asked for the mail asks again. Raises Undeliverable or StoreBusy."""
        request: dict[str, Any] = {
            "Destinations": [address],
            "RawMessage": {"Data": mail},
            "Tags": [{"Name": name, "Value": value} for name, value in tags.items()],
        }
        if self._configuration_set is not None:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            self._client.send_raw_email(**request)
        except ClientError as fault:
            code, status = fault.response["Error"]["Code"], fault.response["ResponseMetadata"]["HTTPStatusCode"]
            if code == NO_ADDRESS:
                raise Undeliverable from None
            if code in BUSY or status >= SERVERS_FAULT:
                raise StoreBusy from fault
            raise
        except BotoCoreError as fault:
            raise StoreBusy from fault

    @cached_property
    def _client(self) -> Any:
        return self._connect()


SIMULATED: Final = {
    "bounce@simulator.amazonses.com": NoMoreMail.BOUNCED,
    "complaint@simulator.amazonses.com": NoMoreMail.COMPLAINED,
}
"""With these recipients SES does as if (https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html)."""


class OutboxOnThisMachine:
    """That of development: every mail is a file, to be looked at.

    Recipients of SES's simulator send it back or complain here too, by what the rules of a stage make of that.
    """

    def __init__(self, folder: Path, returned: Callable[[list[str]], object]) -> None:
        self._folder = folder
        self._returned = returned

    def send(self, address: str, mail: bytes, tags: Mapping[str, str]) -> None:
        """The same mail again is the same file."""
        if why := SIMULATED.get(address):
            told = {"visitId": tags["visit"], "recipient": tags["recipient"], "stop": str(why)}
            self._returned([json.dumps(told)])
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{tags['visit']}-{hashlib.sha256(mail).hexdigest()[:12]}.eml").write_bytes(mail)
