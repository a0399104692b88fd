"""The API key of `make run`: made on the first run, good for everything, kept beside the data for its owner alone."""

import os
from pathlib import Path

import boto3

from chalicelib.container import utc_now
from chalicelib.domain.api_keys import Scope
from chalicelib.repositories.api_keys import DynamoApiKeys
from chalicelib.repositories.table import Table
from chalicelib.services.api_keys import ApiKeys
from tools.deliver.data_stack import credentials

NAME = "development"


def development_key(endpoint: str, stage: str, state: Path) -> str:
    """The key of the last run as long as the table knows it, otherwise a new one."""
    client = boto3.client("dynamodb", **credentials(endpoint))
    access = ApiKeys(DynamoApiKeys(Table(client, f"visits-{stage}")), utc_now)
    file = state / "development-key"
    kept = file.read_text(encoding="utf-8").strip() if file.exists() else ""
    if access.authenticate(kept):
        return kept
    _, shown = access.issue(NAME, Scope)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(f"{shown.text}\n")
    return shown.text
