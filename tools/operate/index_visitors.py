"""`make index-visitors STAGE=prod`: lets visits be found by e-mail and phone that were written before those indexes.

Again is no harm: it reads all visits and writes those that lack something.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.container import utc_now
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.listing import WIDEST, VisitFilter, Window
from chalicelib.domain.properties import HORIZON
from chalicelib.repositories.items import Item
from chalicelib.repositories.table import ConditionsFailed, Table, Write
from chalicelib.repositories.visits import contact_attributes, visit_key, visit_of, visits_range
from tools.failure import CannotGoOn
from tools.operate.refusals import out_of_reach
from tools.operate.stages import enter, table_of

OK, FAILED = 0, 2
VISITS_OF_PAGE: Final = 500


def index(table: Table, now: datetime) -> int:
    """Gives every visit its keys by contact, oldest first; how many lacked one."""
    written = 0
    start = now - 2 * HORIZON
    while start < now + HORIZON + timedelta(days=1):
        filter = VisitFilter(Window(start, start + WIDEST))
        after: str | None = None
        while True:
            page = table.page(visits_range(filter), after, VISITS_OF_PAGE)
            written += sum(_indexed(table, item) for item in page.items)
            after = page.next
            if after is None:
                break
        start += WIDEST
    return written


def _indexed(table: Table, item: Item) -> bool:
    """Whether the visit lacked a key. One that has changed meanwhile was written whole."""
    wanted = contact_attributes(visit_of(item).visitor)
    if all(item.get(name) == value for name, value in wanted.items()):
        return False
    lacking = Write(
        key=visit_key(item["id"]),
        update="SET " + ", ".join(f"{name} = :{name}" for name in wanted),
        condition="version = :version",
        values={**{f":{name}": value for name, value in wanted.items()}, ":version": item["version"]},
    )
    try:
        table.update(lacking)
    except ConditionsFailed:
        return False
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make index-visitors", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    given = parser.parse_args(arguments)
    try:
        print(f"{index(table_of(enter(given.stage, given.aws_port)), utc_now())} visits indexed")
        return OK
    except CannotGoOn as why:
        print(why, file=sys.stderr)
    except (ClientError, BotoCoreError, Unavailable) as fault:
        print(out_of_reach("table", given.stage, fault), file=sys.stderr)
        print("Some may be indexed. Run it again to continue.", file=sys.stderr)
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
