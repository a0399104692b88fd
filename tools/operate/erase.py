"""`make erase STAGE=prod FILE=ids.txt`: erases visitors straight in the table, one visit's id a line.

For a restore: whoever was erased since is back, and must be gone before the API lets anybody in (docs/operations.md).
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.container import over
from chalicelib.domain.errors import Unavailable, VisitNotFound
from chalicelib.domain.spellings import UUID
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.services.visits import Visits
from tools.failure import CannotGoOn
from tools.operate.refusals import out_of_reach
from tools.operate.stages import enter, sqs, table_of

OK, FAILED = 0, 2


def ids_in(path: Path) -> list[str]:
    """The ids of a file, each once. Raises CannotGoOn for a line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise CannotGoOn(f"Cannot read {path}.") from None
    ids = [line.strip().strip('"').lower() for line in lines if line.strip()]
    if wrong := [n for n, id in enumerate(ids, 1) if not re.fullmatch(UUID, id)]:
        raise CannotGoOn(f"Id {wrong[0]} of {path} is not a visit's id. Nothing was erased.")
    return list(dict.fromkeys(ids))


def erase(visits: Visits, ids: Iterable[str]) -> Counter[str]:
    """Erases one after the other; again is no harm."""
    became: Counter[str] = Counter()
    for id in ids:
        try:
            visits.erase_visitor(id)
            became["erased"] += 1
        except VisitNotFound:
            became["not in this table"] += 1
    return became


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        ids = ids_in(Path(given.file))
        settings = enter(given.stage, given.aws_port)
        visits = over(table_of(settings), SqsQueue(sqs, settings.queue_name)).visits
        became = erase(visits, ids)
        print("; ".join(f"{count} {what}" for what, count in became.items()) or "The file contains no ids.")
        return OK
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except (ClientError, BotoCoreError, Unavailable) as fault:
        print(out_of_reach("table", given.stage, fault), file=sys.stderr)
        print("Some may be erased. Run it again to continue.", file=sys.stderr)
    return FAILED


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make erase", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    parser.add_argument("file", help="visits' ids, one a line")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
