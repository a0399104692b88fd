"""`make erase`: visitors are erased straight in the table, before a restored stage lets anybody in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest

from chalicelib.domain.visits import Visitor
from chalicelib.repositories.table import Table
from chalicelib.repositories.visits import DynamoVisits
from tests.builders import a_visit, property_id
from tools.deliver.data_stack import create_data_stack, credentials
from tools.project import ROOT

UNKNOWN = "00000000-0000-7000-8000-0000000fffff"


@pytest.fixture(scope="module")
def visits(aws: str) -> DynamoVisits:
    create_data_stack(aws, "local")
    return DynamoVisits(Table(boto3.client("dynamodb", **credentials(aws)), "visits-local"))


def erase(aws: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.operate.erase", "--stage", "local", "--aws-port", str(urlsplit(aws).port)]
    done = subprocess.run([*command, str(file)], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    return done


def test_visitors_are_erased_by_the_ids_of_their_visits(aws: str, visits: DynamoVisits, tmp_path: Path) -> None:
    visit = a_visit(property_id=property_id(), visitor=Visitor("Ada"), notes="call first")
    visits.add(visit, 1)
    file = tmp_path / "ids.txt"
    file.write_text(f'{visit.id}\n\n"{UNKNOWN.upper()}"\n', encoding="utf-8")
    done = erase(aws, file)
    assert (done.returncode, done.stdout) == (0, "1 erased; 1 not in this table\n")
    erased = visits.get(visit.id)
    assert (erased.visitor, erased.notes) == (None, None)
    assert erase(aws, file).returncode == 0
    assert visits.get(visit.id) == erased


def test_a_file_with_anything_else_erases_nobody(aws: str, visits: DynamoVisits, tmp_path: Path) -> None:
    visit = a_visit(property_id=property_id(), visitor=Visitor("Ada"))
    visits.add(visit, 1)
    file = tmp_path / "ids.txt"
    file.write_text(f"{visit.id}\nada@example.com\n", encoding="utf-8")
    done = erase(aws, file)
    assert done.returncode == 2
    assert "ada@" not in done.stderr
    assert visits.get(visit.id) == visit
    assert erase(aws, tmp_path / "none.txt").returncode == 2
