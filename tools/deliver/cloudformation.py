"""CloudFormation stacks: brought up to date by a change set, waited for, and what went wrong said in a sentence.

For the embedded AWS and the real one alike, so that what deploys is what was tried.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from tools.failure import CannotGoOn

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

T = TypeVar("T")

Changes = Sequence[Mapping[str, Any]]
"""What a change set would do, as CloudFormation describes it."""

PATIENCE_SECONDS: Final = 3000
"""Longer than a canary of half an hour, with what comes before and after it."""
NOTHING_TO_DO: Final = ("didn't contain changes", "No updates are to be performed")
NEVER_CREATED: Final = (
    "its creation failed and it can only be deleted: `aws cloudformation delete-stack --stack-name {name}`, then retry"
)
WAY_OUT: Final = {
    "ROLLBACK_COMPLETE": NEVER_CREATED,
    "ROLLBACK_FAILED": NEVER_CREATED,
    "UPDATE_ROLLBACK_FAILED": "an update's rollback failed: fix what its events name, then "
    "`aws cloudformation continue-update-rollback --stack-name {name}`",
    "DELETE_FAILED": "its deletion failed: fix what its events name, then "
    "`aws cloudformation delete-stack --stack-name {name}`",
}
"""States out of which no update leads, and what does."""


def bring_up_to_date(
    client: CloudFormationClient,
    name: str,
    template: Mapping[str, str],
    parameters: Mapping[str, str],
    *,
    capabilities: Sequence[str] = (),
    adopt_existing: bool = False,
    role: str = "",
    judge: Callable[[Changes], None] = lambda changes: None,
) -> Mapping[str, str]:
    """Creates or updates the stack, waits for it, gives its outputs. What is as it should be stays untouched.

    `template` is {"TemplateBody": ...} or {"TemplateURL": ...}. With `adopt_existing` a resource of the template's name
    that was kept when an earlier stack was deleted becomes part of this one. With a role CloudFormation uses its rights
    instead of the caller's. `judge` looks at the changes first, and raises CannotGoOn when they must not be. Raises
    CannotGoOn.
    """
    change: dict[str, Any] = {
        "StackName": name,
        # Names of change sets begin with a letter.
        "ChangeSetName": f"change-{uuid.uuid4()}",
        "ChangeSetType": "CREATE" if _is_new(client, name) else "UPDATE",
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": list(capabilities),
        "ImportExistingResources": adopt_existing,
        **template,
        **({"RoleARN": role} if role else {}),
    }
    asked = client.create_change_set(**change)
    if _has_changes(client, asked["Id"]):
        try:
            judge(_changes(client, asked["Id"]))
        except CannotGoOn:
            client.delete_change_set(ChangeSetName=asked["Id"])
            raise
        client.execute_change_set(ChangeSetName=asked["Id"])
        stack = _settled(client, name)
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            raise CannotGoOn(f"The stack {name} is {stack['StackStatus']}: {_reasons(client, stack['StackId'])}")
    else:
        client.delete_change_set(ChangeSetName=asked["Id"])
    return outputs(client, name)


def pairs(words: str) -> dict[str, str]:
    """Parameters as a person gives them: "Name=value Other=value". Raises CannotGoOn."""
    found = [word.partition("=") for word in words.split()]
    if wrong := [name for name, equals, _ in found if not equals]:
        raise CannotGoOn(f"Parameters must be Name=value, not {', '.join(wrong)}.")
    return {name: value for name, _, value in found}


def delete(client: CloudFormationClient, name: str) -> None:
    """Deletes the stack and waits; what its template says to retain stays. None there: nothing to do."""
    stack = describe(client, name)
    if stack is None:
        return
    client.delete_stack(StackName=name)
    # A deleted stack is known by its id alone.
    gone = _settled(client, stack["StackId"])
    if gone["StackStatus"] != "DELETE_COMPLETE":
        raise CannotGoOn(f"The stack {name} is {gone['StackStatus']}: {_reasons(client, stack['StackId'])}")


def empty(s3: Any, bucket: str) -> None:
    """A bucket that is to go with its stack: CloudFormation deletes none that has something in it, be it an older
    version.
    """
    with contextlib.suppress(s3.exceptions.NoSuchBucket):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for found in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=bucket, Key=found["Key"], VersionId=found["VersionId"])


def outputs(client: CloudFormationClient, name: str) -> Mapping[str, str]:
    stack = describe(client, name) or {}
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def deployed_template(client: CloudFormationClient, name: str) -> Mapping[str, Any] | None:
    """The template of the stack as it was handed over, or None when there is no stack."""
    if (describe(client, name) or {}).get("StackStatus") in (None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return None
    template: Any = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    parsed: Mapping[str, Any] = json.loads(template) if isinstance(template, str) else template
    return parsed


def describe(client: CloudFormationClient, name: str) -> Mapping[str, Any] | None:
    """What CloudFormation says of the stack, or None when there is none."""
    try:
        return dict(client.describe_stacks(StackName=name)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise


def _is_new(client: CloudFormationClient, name: str) -> bool:
    """Whether there is no such stack yet. Raises CannotGoOn when there is one that cannot be updated as it is."""
    status = (describe(client, name) or {}).get("StackStatus")
    if status in (None, "DELETE_COMPLETE", "REVIEW_IN_PROGRESS"):
        return True
    if way_out := WAY_OUT.get(status):
        raise CannotGoOn(f"The stack {name} is {status}: {way_out.format(name=name)}.")
    if status.endswith("_IN_PROGRESS"):
        raise CannotGoOn(
            f"The stack {name} is {status}: another operation is in progress. Wait until it is done and retry."
        )
    return False


def _has_changes(client: CloudFormationClient, change_set: str) -> bool:
    """Whether there is anything to change, once CloudFormation knows."""

    def found() -> bool | None:
        said = client.describe_change_set(ChangeSetName=change_set)
        if said["Status"] == "CREATE_COMPLETE":
            return True
        if said["Status"] != "FAILED":
            return None
        reason = said.get("StatusReason", "no reason given")
        if any(words in reason for words in NOTHING_TO_DO):
            return False
        raise CannotGoOn(f"CloudFormation rejects the change to {said['StackName']}: {reason}")

    return waited_for(f"The change set {change_set}", found)


def _changes(client: CloudFormationClient, change_set: str) -> Changes:
    pages = client.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
    return [dict(change) for page in pages for change in page["Changes"]]


def _settled(client: CloudFormationClient, name: str) -> Mapping[str, Any]:
    """The stack, once nothing is under way in it."""

    def found() -> Mapping[str, Any] | None:
        stack = client.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else dict(stack)

    return waited_for(f"The stack {name}", found)


def _reasons(client: CloudFormationClient, name: str) -> str:
    """What failed, the first failure first; what was only cancelled because of it is no news."""
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [
        f"{event.get('LogicalResourceId')}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if "FAILED" in event.get("ResourceStatus", "") and "cancelled" not in event.get("ResourceStatusReason", "")
    ]
    return "; ".join(failed[:3]) or "its events say why"


def waited_for(what: str, found: Callable[[], T | None]) -> T:
    """Looks until it is found, at first in quick succession (the embedded AWS is fast), later every five seconds."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.05
    while (it := found()) is None:
        if time.monotonic() > deadline:
            raise CannotGoOn(
                f"{what} was not done within {PATIENCE_SECONDS // 60} minutes; check it in the AWS console."
            )
        time.sleep(pause)
        pause = min(pause * 1.5, 5)
    return it
