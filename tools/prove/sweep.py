"""Deletes everything of the trial in an account and Region, found by its name and not by what anybody remembers of it.

So it does not matter where the making was cut off, nor whether it was this run that was. Some things cannot be deleted
yet while others go, so whatever is found is deleted again and again until nothing is found.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError
from botocore.session import Session

from chalicelib.functions import Queue
from tools.deliver.cloudformation import empty
from tools.deliver.console import stack_of as console_stack_of
from tools.deliver.data_stack import data_stack_of
from tools.failure import CannotGoOn
from tools.generate.policies import TRIAL

PREFIX: Final = "visits-trial"
STACKS: Final = (data_stack_of(TRIAL), console_stack_of(TRIAL))
"""Its stacks that are called otherwise."""
CHALICES: Final = "visits"
"""What Chalice calls an API before it knows the stage."""

PATIENCE_SECONDS: Final = 2400
"""CloudFront takes its time to let a distribution go."""
AGAIN_SECONDS: Final = 5
LATER: Final = ("InUse", "Conflict", "TooManyRequests", "Throttling", "LimitExceeded", "RequestLimit", "BucketNotEmpty")
GONE: Final = ("NotFound", "NoSuch", "NonExistent", "does not exist")


def ours(name: str) -> bool:
    return name == PREFIX or name.startswith(f"{PREFIX}-")


class Account:
    """The clients of an account and Region, made once each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._session.create_client(service)
        return self._made[service]

    def pages(self, service: str, operation: str, key: str, **asked: Any) -> Iterable[Any]:
        for page in self.client(service).get_paginator(operation).paginate(**asked):
            yield from page.get(key, [])


def sweep(session: Session, say: Callable[[str], None]) -> None:
    """Deletes what there is and waits until it is gone. Raises CannotGoOn with what is left, and why."""
    account, deadline, said = Account(session), time.monotonic() + PATIENCE_SECONDS, set[str]()
    while left := [(kind, name) for kind in KINDS for name in sorted(kind.found(account))]:
        refused: list[str] = []
        for kind, name in left:
            what = f"{kind.title} {name}"
            if what not in said:
                say(f"  {what}")
                said.add(what)
            if why := _refusal(kind.remove, account, name):
                refused.append(f"{what} ({why})")
        if len(refused) == len(left) or time.monotonic() > deadline:
            remains = "; ".join(refused) or ", ".join(f"{kind.title} {name}" for kind, name in left)
            raise CannotGoOn(f"Still there, `make prove` tries again first: {remains}.")
        # A function that was running writes its log a little later, and with it the group.
        time.sleep(AGAIN_SECONDS)


def _refusal(remove: Callable[[Account, str], object], account: Account, name: str) -> str:
    """Why it will not go, ever; empty when it went, or may go later."""
    try:
        remove(account, name)
    except ClientError as fault:
        told = f"{fault.response['Error'].get('Code', '')} {fault.response['Error'].get('Message', '')}"
        if not any(word in told for word in (*LATER, *GONE)):
            return told
    return ""


@dataclass(frozen=True)
class Kind:
    """A kind of thing that the trial makes: those that are there, by name, and how one is deleted."""

    title: str
    found: Callable[[Account], Iterable[str]]
    remove: Callable[[Account, str], object]


def _mappings(account: Account) -> Iterable[str]:
    for mapping in account.pages("lambda", "list_event_source_mappings", "EventSourceMappings"):
        if ours(mapping["FunctionArn"].split(":")[6]):
            yield mapping["UUID"]


def _functions(account: Account) -> Iterable[str]:
    every = account.pages("lambda", "list_functions", "Functions")
    return [each["FunctionName"] for each in every if ours(each["FunctionName"])]


def _rules(account: Account) -> Iterable[str]:
    every = account.pages("events", "list_rules", "Rules", NamePrefix=PREFIX)
    return [each["Name"] for each in every if ours(each["Name"])]


def _remove_rule(account: Account, name: str) -> None:
    events = account.client("events")
    if targets := events.list_targets_by_rule(Rule=name)["Targets"]:
        events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
    events.delete_rule(Name=name)


def _apis(account: Account) -> Iterable[str]:
    for api in account.pages("apigateway", "get_rest_apis", "items"):
        if ours(api["name"]) or (api["name"] == CHALICES and _calls_ours(account, api["id"])):
            yield api["id"]


def _calls_ours(account: Account, api: str) -> bool:
    for resource in account.pages("apigateway", "get_resources", "items", restApiId=api, embed=["methods"]):
        for method in resource.get("resourceMethods", {}).values():
            if f":function:{PREFIX}/" in method.get("methodIntegration", {}).get("uri", ""):
                return True
    return False


def _roles(account: Account) -> Iterable[str]:
    """Of this Region alone (tools/deliver/regions.py)."""
    end = f"-{account.client('s3').meta.region_name}"
    names = [each["RoleName"] for each in account.pages("iam", "list_roles", "Roles")]
    return [name for name in names if ours(name) and name.endswith(end)]


def _remove_role(account: Account, name: str) -> None:
    iam = account.client("iam")
    for policy in account.pages("iam", "list_role_policies", "PolicyNames", RoleName=name):
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _buckets(account: Account) -> Iterable[str]:
    """Of this Region alone: another may have a trial of its own."""
    region = account.client("s3").meta.region_name
    every = account.client("s3").list_buckets()["Buckets"]
    return [it["Name"] for it in every if ours(it["Name"]) and it["Name"].endswith(region)]


def _remove_bucket(account: Account, name: str) -> None:
    empty(account.client("s3"), name)
    # Its stack deletes it, if there is one.
    if not any(_stacks(account)):
        account.client("s3").delete_bucket(Bucket=name)


def _stacks(account: Account) -> Iterable[str]:
    for stack in account.pages("cloudformation", "describe_stacks", "Stacks"):
        named = stack["StackName"] in STACKS or ours(stack["StackName"])
        if named and stack["StackStatus"] != "DELETE_COMPLETE":
            yield stack["StackName"]


def _tables(account: Account) -> Iterable[str]:
    return [name for name in account.pages("dynamodb", "list_tables", "TableNames") if ours(name)]


def _queues(account: Account) -> Iterable[str]:
    """By name: a list of all knows of a deleted one for a minute more."""
    sqs = account.client("sqs")
    for queue in Queue:
        for end in (queue, queue.dead_letters):
            with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):
                yield sqs.get_queue_url(QueueName=f"{PREFIX}{end}")["QueueUrl"]


def _pools(account: Account) -> Iterable[str]:
    every = account.pages("cognito-idp", "list_user_pools", "UserPools", MaxResults=60)
    return [each["Id"] for each in every if ours(each["Name"])]


def _remove_pool(account: Account, pool: str) -> None:
    cognito = account.client("cognito-idp")
    if domain := cognito.describe_user_pool(UserPoolId=pool)["UserPool"].get("Domain"):
        cognito.delete_user_pool_domain(UserPoolId=pool, Domain=domain)
    cognito.delete_user_pool(UserPoolId=pool)


def _logs(account: Account) -> Iterable[str]:
    for prefix in ("/aws/lambda/", "/aws/apigateway/"):
        for group in account.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"{prefix}{PREFIX}"):
            if ours(group["logGroupName"].removeprefix(prefix)):
                yield group["logGroupName"]


KINDS: Final = (
    Kind("event source", _mappings, lambda account, it: account.client("lambda").delete_event_source_mapping(UUID=it)),
    Kind("rule", _rules, _remove_rule),
    Kind("API", _apis, lambda account, it: account.client("apigateway").delete_rest_api(restApiId=it)),
    Kind("function", _functions, lambda account, it: account.client("lambda").delete_function(FunctionName=it)),
    Kind("role", _roles, _remove_role),
    Kind("bucket", _buckets, _remove_bucket),
    Kind("stack", _stacks, lambda account, it: account.client("cloudformation").delete_stack(StackName=it)),
    Kind("table", _tables, lambda account, it: account.client("dynamodb").delete_table(TableName=it)),
    Kind("queue", _queues, lambda account, it: account.client("sqs").delete_queue(QueueUrl=it)),
    Kind("user pool", _pools, _remove_pool),
    Kind("log", _logs, lambda account, it: account.client("logs").delete_log_group(logGroupName=it)),
)
"""In this order: what calls before what is called, and logs when nobody writes them any more."""
