"""`make index-visitors`: visits that were written before they could be found by their visitor are found afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import boto3

from chalicelib.container import utc_now
from chalicelib.domain.visitors import Contact
from chalicelib.domain.visits import Visitor
from chalicelib.repositories.table import Table, serialized
from chalicelib.repositories.visits import DynamoVisits, visit_item
from tests.builders import a_visit
from tools.deliver.data_stack import create_data_stack, credentials
from tools.project import ROOT

ADA = Visitor("Ada", "Ada@old.example", "+49 30 111")


def run(aws: str) -> str:
    command = [sys.executable, "-m", "tools.operate.index_visitors", "--stage", "local"]
    port = str(urlsplit(aws).port)
    done = subprocess.run(
        [*command, "--aws-port", port], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    return done.stdout


def test_visits_from_before_are_found_by_their_visitor_once_they_are_indexed(aws: str) -> None:
    create_data_stack(aws, "local")
    client = boto3.client("dynamodb", **credentials(aws))
    visits = DynamoVisits(Table(client, "visits-local"))
    now = utc_now().replace(minute=0, second=0)
    old = [a_visit(date=now + timedelta(days=days), visitor=ADA) for days in (-3000, -1, 0, 1500)]
    nobody, indexed = a_visit(date=now), a_visit(date=now, visitor=ADA)
    for visit in (*old, nobody, indexed):
        item = visit_item(visit)
        if visit is not indexed:
            item = {name: value for name, value in item.items() if name not in ("g4pk", "g5pk")}
        client.put_item(TableName="visits-local", Item=serialized(item))
    contacts = Contact.of_email("ada@OLD.example"), Contact.of_phone("0049 30111")
    assert [visits.of_contact(contact, None, 10).items for contact in contacts] == [[indexed.id]] * 2
    assert run(aws) == "4 visits indexed\n"
    everyone = sorted(visit.id for visit in (*old, indexed))
    assert [visits.of_contact(contact, None, 10).items for contact in contacts] == [everyone] * 2
    assert [visits.get(visit.id) for visit in old] == old
    assert run(aws) == "0 visits indexed\n"
