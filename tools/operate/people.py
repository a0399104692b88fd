"""`make person`, `make people` and `make remove-person`: who may sign in to a stage's console, and what for.

People are in the stage's user pool and nowhere else. A new one gets an invitation from Cognito by mail, with a password
for the first sign-in; on the stage local, which sends none, it is printed.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import boto3

from chalicelib.domain.api_keys import Scope
from tools.deliver.cloudformation import outputs
from tools.deliver.data_stack import data_stack_of
from tools.failure import CannotGoOn
from tools.operate.refusals import told_in_words
from tools.operate.stages import enter

LOCAL: Final = "local"
HEADING: Final = f"{'e-mail':32}  {'groups':25}  {'id':36}  state"


def a_password() -> str:
    """Of every kind of character that the pool wants."""
    return f"{secrets.token_urlsafe(15)}-Aa9"


@dataclass(frozen=True)
class Pool:
    """The user pool of a stage."""

    cognito: Any
    id: str

    @classmethod
    def of(cls, stage: str, session: Any) -> Pool:
        """Raises CannotGoOn when the stage has none."""
        pool = outputs(session.client("cloudformation"), data_stack_of(stage)).get("UserPool")
        if pool is None:
            raise CannotGoOn(f"The stage {stage} has no user pool: deploy it first.")
        return cls(session.client("cognito-idp"), pool)

    def find(self, email: str) -> str | None:
        """The id of the person with that address."""
        try:
            found = self.cognito.admin_get_user(UserPoolId=self.id, Username=email)
        except self.cognito.exceptions.UserNotFoundException:
            return None
        return _attribute(found["UserAttributes"], "sub")

    def invite(self, email: str, **more: str) -> None:
        attributes = [{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]
        self.cognito.admin_create_user(UserPoolId=self.id, Username=email, UserAttributes=attributes, **more)

    def put_into(self, email: str, groups: Iterable[str]) -> None:
        """Makes these the groups that the person is in. Whoever is interrupted has left the person too little."""
        given = self.cognito.admin_list_groups_for_user(UserPoolId=self.id, Username=email)["Groups"]
        before, wanted = {group["GroupName"] for group in given}, set(groups)
        for group in sorted(before - wanted):
            self.cognito.admin_remove_user_from_group(UserPoolId=self.id, Username=email, GroupName=group)
        for group in sorted(wanted - before):
            self.cognito.admin_add_user_to_group(UserPoolId=self.id, Username=email, GroupName=group)

    def remove(self, email: str) -> None:
        """Ends the person's sign-ins too: no new token, and the last one within its quarter of an hour."""
        self.cognito.admin_user_global_sign_out(UserPoolId=self.id, Username=email)
        self.cognito.admin_delete_user(UserPoolId=self.id, Username=email)

    def everybody(self) -> Iterator[tuple[str, str, str]]:
        """E-mail address, id and state."""
        for page in self.cognito.get_paginator("list_users").paginate(UserPoolId=self.id):
            for user in page["Users"]:
                address, id = (_attribute(user["Attributes"], name) for name in ("email", "sub"))
                yield address, id, user["UserStatus"].lower() if user["Enabled"] else "disabled"

    def groups_of(self, email: str) -> str:
        given = self.cognito.admin_list_groups_for_user(UserPoolId=self.id, Username=email)["Groups"]
        return ",".join(sorted(group["GroupName"] for group in given))


def _attribute(attributes: Sequence[dict[str, str]], name: str) -> str:
    return next((each["Value"] for each in attributes if each["Name"] == name), "")


def add(given: argparse.Namespace, pool: Pool) -> None:
    """Doing it again changes the groups."""
    if pool.find(given.email) is None:
        first = {}
        if given.stage == LOCAL:
            first = {"TemporaryPassword": a_password(), "MessageAction": "SUPPRESS"}
        pool.invite(given.email, **first)
        # Without a full stop, which would be copied with it.
        told = f"The password: {first['TemporaryPassword']}" if first else "The password comes by mail, for a week."
        print(f"{given.email} is invited. {told}")
    pool.put_into(given.email, given.groups)
    print(f"{given.email} may {', '.join(sorted(given.groups))}, as {pool.find(given.email)}.")


def list_all(_: argparse.Namespace, pool: Pool) -> None:
    print(HEADING)
    for email, id, state in sorted(pool.everybody()):
        print(f"{email:32}  {pool.groups_of(email):25}  {id:36}  {state}")


def remove(given: argparse.Namespace, pool: Pool) -> None:
    if pool.find(given.email) is None:
        raise CannotGoOn(f"Nobody has the address {given.email}.")
    pool.remove(given.email)
    print(f"{given.email} is removed; a sign-in under way ends within 15 minutes.")


def groups(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    if not names or not names <= {str(scope) for scope in Scope}:
        raise argparse.ArgumentTypeError(f"'{text}' are not groups: {','.join(Scope)}, one or more of them")
    return names


def email(text: str) -> str:
    if text.count("@") != 1 or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError("whose? EMAIL=ann@example.com")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        with told_in_words():
            enter(given.stage, given.aws_port)
            given.action(given, Pool.of(given.stage, boto3.Session()))
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.operate.people", description=__doc__)
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json")
    parser.add_argument("--aws-port", type=int, default=4566, help="port of the embedded AWS, for the stage local")
    actions = parser.add_subparsers(required=True)
    adding = actions.add_parser("add", help="invite a person, or change the groups of one who is there")
    adding.add_argument("--email", type=email, required=True)
    adding.add_argument("--groups", type=groups, required=True, help="read, write, override, admin, with commas")
    adding.set_defaults(action=add)
    actions.add_parser("list", help="everybody who may sign in").set_defaults(action=list_all)
    removing = actions.add_parser("remove", help="remove a person, and end their sign-ins")
    removing.add_argument("--email", type=email, required=True)
    removing.set_defaults(action=remove)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
