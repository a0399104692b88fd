"""`make key`, `keys`, `rotate-key`, `revoke-key` and `rotate-signing-keys`: who may call a stage, told by the operator.

A new key goes to standard output, alone and once; everything else that is said goes to standard error, so that
`make -s key ... | pbcopy` hands on the key and nothing but the key.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.container import utc_now
from chalicelib.domain.api_keys import ApiKey, InvalidKeyRequest, PresentedKey, Scope
from chalicelib.domain.errors import OutcomeUnknown, Unavailable
from chalicelib.domain.signing_keys import RotationUnderWay
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.signing_keys import DynamoSigningKeys
from chalicelib.repositories.table import ConditionsFailed, Table
from chalicelib.services.api_keys import ApiKeys
from tools.failure import CannotGoOn
from tools.operate.refusals import out_of_reach
from tools.operate.stages import enter, table_of

OVERLAP: Final = timedelta(days=7)
UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}

HEADING: Final = f"{'id':16}  {'name':24}  {'scopes':25}  {'made':20}  {'until':20}  state"


def create(given: argparse.Namespace, table: Table) -> None:
    # Whoever books by it may be the first to need them, and what writes to visitors may only read them.
    DynamoSigningKeys(table).load()
    key, shown = _access(table).issue(given.name, given.scopes, given.expires)
    _show(key, shown)


def list_all(_: argparse.Namespace, table: Table) -> None:
    now, keys = datetime.now(UTC), _access(table).all_keys()
    print(HEADING)
    for key in keys:
        print(_line(key, now))


def rotate(given: argparse.Namespace, table: Table) -> None:
    try:
        key, shown = _access(table).rotate(given.name, given.overlap)
    except (Unavailable, BotoCoreError, ClientError, KeyboardInterrupt):
        _say("Run it again: a key created just now was never shown, and will expire with the others.")
        raise
    _show(key, shown)
    _say(f"The previous keys of {given.name} expire at {_text(key.created_at + given.overlap)}.")


def revoke(given: argparse.Namespace, table: Table) -> None:
    access = _access(table)
    revoked = [access.revoke(given.id)] if given.id else access.revoke_all(given.name)
    for key in revoked:
        _say(f"Revoked {key.id} of {key.name}; it stops working within a minute.")


def rotate_signing_keys(_: argparse.Namespace, table: Table) -> None:
    try:
        keyring = DynamoSigningKeys(table).rotate()
    except RotationUnderWay:
        raise CannotGoOn("The newest signing key is not active yet: wait ten minutes.") from None
    except ConditionsFailed:
        raise CannotGoOn("Somebody else rotated the signing keys just now.") from None
    if keyring.waiting is not None:
        _say(f"The new signing key {keyring.waiting[0]} is used from {_text(keyring.waiting[1])} on.")
    _say(f"{len(keyring.secrets)} keys verify; a retired key is kept for 31 days.")


def _access(table: Table) -> ApiKeys:
    return ApiKeys(DynamoApiKeys(table), utc_now)


def name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("whose key? NAME=partner")
    return text


def _show(key: ApiKey, shown: PresentedKey) -> None:
    until = f" until {_text(key.expires_at)}" if key.expires_at else ""
    _say(f"The key {key.id} of {key.name} may {', '.join(sorted(key.scopes))}{until}. It will not be shown again:")
    print(shown.text)


def _line(key: ApiKey, now: datetime) -> str:
    state = "revoked" if key.revoked_at else "good" if key.usable(now) else "expired"
    until = key.revoked_at or key.expires_at
    scopes = ",".join(sorted(key.scopes))
    return f"{key.id:16}  {key.name:24}  {scopes:25}  {_text(key.created_at):20}  {_text(until):20}  {state}"


def _text(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}" if instant else "-"


def _say(what: str) -> None:
    print(what, file=sys.stderr)


def duration(text: str) -> timedelta:
    """90d, 12h, 30m; 0 is none at all."""
    if text == "0":
        return timedelta(0)
    found = re.fullmatch(r"([0-9]{1,4})([dhm])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is not a duration: 90d, 12h or 30m")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def scopes(text: str) -> Iterable[Scope]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or not {str(scope) for scope in Scope}.issuperset(names):
        raise argparse.ArgumentTypeError(f"'{text}' are not scopes: {','.join(Scope)}, one or more of them")
    return frozenset(Scope(name) for name in names)


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        given.action(given, table_of(enter(given.stage, given.aws_port)))
    except (CannotGoOn, InvalidKeyRequest) as why:
        _say(str(why))
    except (BotoCoreError, ClientError, Unavailable) as fault:
        _say(out_of_reach("table", given.stage, fault))
        if isinstance(fault, OutcomeUnknown):
            _say("The outcome is unknown: check with `make keys`.")
    except KeyboardInterrupt:
        _say("Stopped. Finished changes remain: check with `make keys`.")
        return 130
    else:
        return 0
    return 2


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.operate.keys", description=__doc__)
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json")
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    actions = parser.add_subparsers(required=True)
    creating = actions.add_parser("create", help="create a key and show it once")
    creating.add_argument("--name", type=name, required=True, help="the caller's name")
    creating.add_argument("--scopes", type=scopes, required=True, help="read, write, admin, separated by commas")
    creating.add_argument("--expires", type=duration, help="lifetime, like 90d; without it the key never expires")
    creating.set_defaults(action=create)
    listing = actions.add_parser("list", help="every key, never a secret")
    listing.set_defaults(action=list_all)
    rotating = actions.add_parser("rotate", help="a new key for the same caller; the old ones expire after the overlap")
    rotating.add_argument("--name", type=name, required=True, help="whose keys")
    rotating.add_argument("--overlap", type=duration, default=OVERLAP, help="how long the old ones remain valid: 7d")
    rotating.set_defaults(action=rotate)
    revoking = actions.add_parser("revoke", help="revoke keys now")
    whose = revoking.add_mutually_exclusive_group(required=True)
    whose.add_argument("--id", help="of one key")
    whose.add_argument("--name", type=name, help="all keys of a caller")
    revoking.set_defaults(action=revoke)
    signing = actions.add_parser("rotate-signing", help="a new key for signing cursors and fingerprints")
    signing.set_defaults(action=rotate_signing_keys)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
