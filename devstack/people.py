"""Who signs in to `make run`: the embedded AWS has the hosted page; here are its client and one person.

The client is the console stack's but for its address. The password is made on the first run and kept beside the data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import boto3

from tools.deliver.cloudformation import outputs
from tools.deliver.console import CLIENT, config, template
from tools.deliver.data_stack import credentials, data_stack_of
from tools.operate.people import Pool, a_password

EMAIL: Final = "dev@example.com"
GROUPS: Final = ("read", "write", "override")


def sign_in(endpoint: str, stage: str, url: str, state: Path) -> tuple[str, str]:
    """Lets the console at that address sign people in; gives the issuer of their tokens, and a password of EMAIL's."""
    told = outputs(boto3.client("cloudformation", **credentials(endpoint)), data_stack_of(stage))
    pool = Pool(boto3.client("cognito-idp", **credentials(endpoint)), told["UserPool"])
    client = _client(pool, url)
    (state / "console.json").write_text(config(told["SignInIssuer"], client, endpoint), encoding="utf-8")
    return told["SignInIssuer"], _person(pool, state / "development-person")


def _client(pool: Pool, url: str) -> str:
    """The id of the client for the address of this run."""
    settings: dict[str, Any] = dict(template()["Resources"][CLIENT]["Properties"])
    settings |= {"UserPoolId": pool.id, "CallbackURLs": [f"{url}/"], "LogoutURLs": [f"{url}/"]}
    known = pool.cognito.list_user_pool_clients(UserPoolId=pool.id, MaxResults=60)["UserPoolClients"]
    ids = [client["ClientId"] for client in known if client["ClientName"] == settings["ClientName"]]
    if ids:
        del settings["GenerateSecret"]
        pool.cognito.update_user_pool_client(ClientId=ids[0], **settings)
        return str(ids[0])
    return str(pool.cognito.create_user_pool_client(**settings)["UserPoolClient"]["ClientId"])


def _person(pool: Pool, file: Path) -> str:
    """The password of the last run as long as the pool knows the person, otherwise a new one."""
    if file.exists() and pool.find(EMAIL) is not None:
        return file.read_text(encoding="utf-8").strip()
    password = a_password()
    if pool.find(EMAIL) is None:
        pool.invite(EMAIL, MessageAction="SUPPRESS")
    pool.cognito.admin_set_user_password(UserPoolId=pool.id, Username=EMAIL, Password=password, Permanent=True)
    pool.put_into(EMAIL, GROUPS)
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
        new.write(f"{password}\n")
    return password
