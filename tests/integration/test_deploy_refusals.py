"""`make deploy` that cannot go on says why and what to do, in a sentence, and touches nothing."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session

from devstack.emulator import free_port
from tools.deliver import deploy
from tools.deliver.cloudformation import bring_up_to_date, delete, describe, outputs
from tools.deliver.data_stack import bring_data_up_to_date, credentials, template_of
from tools.deliver.gateway_settings import BINARY_TYPES, METHOD_SETTINGS, Place, Template
from tools.failure import CannotGoOn
from tools.generate.gateway_responses import EXTENSION, MERGE_TEMPLATE
from tools.project import HOST, REGION, ROOT


def alone(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command of somebody who has nothing of AWS but what is given here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nothing = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-m", "tools.deliver.deploy", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=kept | nothing | environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


KEY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"AWS_DEFAULT_REGION": REGION}, "There are no AWS credentials here"),
        (KEY, "Which region?"),
        ({"AWS_PROFILE": "nobody", "AWS_DEFAULT_REGION": REGION}, "(nobody) could not be found"),
        (
            {**KEY, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": f"http://{HOST}:{free_port()}"},
            "AWS cannot be reached",
        ),
    ],
)
def test_what_lacks_on_this_machine_is_told(environment: Mapping[str, str], told: str) -> None:
    assert told in alone("deploy", "--stage", "dev", **environment).stderr


def session_that_is(answered: Callable[[str], tuple[int, dict[str, Any]]]) -> Session:
    """A session that is answered so, whatever it asks of CloudFormation."""
    session = Session()
    session.set_credentials("key", "secret")
    session.set_config_variable("region", REGION)

    def answer(**call: Any) -> Any:
        status, document = answered(call["model"].name)
        return AWSResponse("", status, HTTPHeaders(), None), document

    session.register("before-call.cloudformation", answer)
    return session


def refused(code: str, message: str = "no") -> Session:
    return session_that_is(lambda _: (403, {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}}))


@pytest.mark.parametrize(
    ("session", "told"),
    [
        (refused("ExpiredToken"), "The credentials have expired. Sign in again (`aws sso login`)"),
        (refused("InvalidClientTokenId"), "AWS does not know these credentials (InvalidClientTokenId)"),
        (refused("AccessDenied", "not you."), "may not do DescribeStacks: not you. Request the permission"),
        (refused("Throttling"), "AWS throttles requests at the moment (DescribeStacks)"),
        (refused("Odd", "something else"), "AWS rejects DescribeStacks (Odd): something else"),
    ],
)
@pytest.mark.parametrize("action", ["deploy", "delete"])
def test_what_aws_refuses_is_told(session: Session, told: str, action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy.main([action, "--stage", "dev"], session) == 1
    said = capsys.readouterr().err
    assert told in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("stage", "told"),
    [
        ("local", "The stage local runs only on this machine: `make run` starts it."),
        ("staging", "There is no stage 'staging' in .chalice/config.json; there are: dev, beta, prod."),
    ],
)
def test_a_stage_that_cannot_be_deployed_is_told_before_aws_is_asked(
    stage: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy.main(["deploy", "--stage", stage], refused("AccessDenied")) == 1
    assert capsys.readouterr().err.strip() == told


# Stacks


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        ("ROLLBACK_COMPLETE", "`aws cloudformation delete-stack --stack-name visits-data-dev`, then retry"),
        ("UPDATE_ROLLBACK_FAILED", "`aws cloudformation continue-update-rollback --stack-name visits-data-dev`"),
        ("UPDATE_IN_PROGRESS", "another operation is in progress. Wait until it is done"),
    ],
)
def test_a_stack_out_of_which_no_update_leads_is_told_with_the_way_out(status: str, way_out: str) -> None:
    session = session_that_is(lambda _: (200, {"Stacks": [{"StackName": "visits-data-dev", "StackStatus": status}]}))
    client = boto3.Session(botocore_session=session).client("cloudformation")
    with pytest.raises(CannotGoOn, match=f"The stack visits-data-dev is {status}") as why:
        bring_up_to_date(client, "visits-data-dev", {"TemplateBody": "{}"}, {})
    assert way_out in str(why.value)


def queue(**properties: object) -> Mapping[str, str]:
    document = {
        "Resources": {
            "Queue": {
                "Type": "AWS::SQS::Queue",
                "DeletionPolicy": "Retain",
                "Properties": {"QueueName": "of-a-stack", **properties},
            }
        },
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
    }
    return {"TemplateBody": json.dumps(document)}


def test_a_stack_is_made_left_alone_changed_and_deleted(aws: str, account: str) -> None:
    cloudformation = boto3.client("cloudformation", **credentials(aws, account))
    sqs = boto3.client("sqs", **credentials(aws, account))
    for _ in range(2):
        assert bring_up_to_date(cloudformation, "queue", queue(), {}) == {"Name": "of-a-stack"}
    assert outputs(cloudformation, "queue") == {"Name": "of-a-stack"}
    url = sqs.get_queue_url(QueueName="of-a-stack")["QueueUrl"]
    bring_up_to_date(cloudformation, "queue", queue(VisibilityTimeout=77), {})
    timeout = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
    assert timeout == {"VisibilityTimeout": "77"}
    for _ in range(2):
        delete(cloudformation, "queue")
        assert describe(cloudformation, "queue") is None


def test_the_table_of_a_deleted_stack_is_taken_in_again_with_its_data(aws: str) -> None:
    """Queues too on AWS; the emulator cannot do it with those."""
    own = credentials(aws, f"{secrets.randbelow(10**11) + 10**11}")
    cloudformation, dynamodb = boto3.client("cloudformation", **own), boto3.client("dynamodb", **own)
    bring_data_up_to_date(cloudformation, dynamodb, "dev", template_of("dev"))
    item = {"pk": {"S": "kept"}, "sk": {"S": "kept"}}
    dynamodb.put_item(TableName="visits-dev", Item=item)
    delete(cloudformation, "visits-data-dev")
    bring_data_up_to_date(cloudformation, dynamodb, "dev", template_of("dev"))
    assert dynamodb.get_item(TableName="visits-dev", Key=item)["Item"] == item
    assert outputs(cloudformation, "visits-data-dev")["TableName"] == "visits-dev"
    bring_data_up_to_date(cloudformation, dynamodb, "dev", template_of("dev"))


def test_a_table_that_has_data_gets_new_indexes_one_after_the_other(aws: str) -> None:
    own = credentials(aws, f"{secrets.randbelow(10**11) + 10**11}")
    cloudformation, dynamodb = boto3.client("cloudformation", **own), boto3.client("dynamodb", **own)
    wanted = template_of("dev")
    older = template_of("dev") | {"Metadata": {"Version": 1}}
    properties = older["Resources"]["Table"]["Properties"]
    for part in ("GlobalSecondaryIndexes", "AttributeDefinitions"):
        properties[part] = properties[part][:-2]
    bring_data_up_to_date(cloudformation, dynamodb, "dev", older)
    key = {"pk": {"S": "V#1"}, "sk": {"S": "V"}}
    dynamodb.put_item(TableName="visits-dev", Item={**key, "g4pk": {"S": "E#1"}, "g5pk": {"S": "T#1"}})
    asked: list[list[str]] = []

    def count(params: dict[str, Any], **_: object) -> None:
        table = json.loads(params["TemplateBody"])["Resources"]["Table"]["Properties"]
        asked.append([index["IndexName"] for index in table["GlobalSecondaryIndexes"]][3:])

    cloudformation.meta.events.register("provide-client-params.cloudformation.CreateChangeSet", count)
    assert bring_data_up_to_date(cloudformation, dynamodb, "dev", wanted).startswith("visits-data-dev is at version")
    assert asked == [[], ["byEmail"], ["byEmail", "byPhone"]]
    for index, partition in (("byEmail", "g4pk"), ("byPhone", "g5pk")):
        found = dynamodb.query(
            TableName="visits-dev",
            IndexName=index,
            KeyConditionExpression=f"{partition} = :pk",
            ExpressionAttributeValues={":pk": {"S": "E#1" if index == "byEmail" else "T#1"}},
        )
        assert [item["pk"]["S"] for item in found["Items"]] == ["V#1"]


def test_what_makes_a_stack_fail_is_told_and_then_the_way_out(aws: str, account: str) -> None:
    cloudformation = boto3.client("cloudformation", **credentials(aws, account))
    nobody = f"arn:aws:lambda:{REGION}:000000000000:function:nobody"
    broken = {"Type": "Custom::Broken", "Properties": {"ServiceToken": nobody}}
    template = {"TemplateBody": json.dumps({"Resources": {"Broken": broken}})}
    with pytest.raises(CannotGoOn, match=r"The stack failing is ROLLBACK_COMPLETE: Broken: .*nobody"):
        bring_up_to_date(cloudformation, "failing", template, {})
    with pytest.raises(CannotGoOn, match="aws cloudformation delete-stack --stack-name failing"):
        bring_up_to_date(cloudformation, "failing", template, {})


# What is read of the merge template


PLACE = Place("aws", REGION, "123456789012")


def template() -> Template:
    document = json.loads(MERGE_TEMPLATE.read_text(encoding="utf-8"))
    return Template(document, {"Stage": "dev"}, PLACE)


def test_everything_that_the_template_says_of_the_api_is_known_to_the_deployment() -> None:
    assert set(template().api) == {"Name", "DefinitionBody", "MethodSettings", "TracingEnabled", "AccessLogSetting"}
    assert set(template().api["DefinitionBody"]) == {"info", BINARY_TYPES, EXTENSION}
    for setting in template().api["MethodSettings"]:
        assert set(setting) <= {"ResourcePath", "HttpMethod", *METHOD_SETTINGS}


def test_what_cannot_be_looked_up_is_told_by_name() -> None:
    document = {"Resources": {"RestAPI": {"Properties": {"Name": {"Ref": "Elsewhere"}}}}}
    with pytest.raises(CannotGoOn, match="names Elsewhere"):
        _ = Template(document, {}, PLACE).api


def test_make_hands_on_what_it_is_given(tmp_path: Path) -> None:
    """`make -n` shows the commands without running them; what `make test` hands to its children would show too."""

    def command(*words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        shown = subprocess.run(
            ["make", "-n", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return " ".join(shown.stdout.split())

    assert '-m tools.deliver.deploy deploy --stage="$GIVEN_STAGE" --network=' in command("deploy", "STAGE=dev")
    assert command("delete", "STAGE=dev").endswith('-m tools.deliver.deploy delete --stage="$GIVEN_STAGE" \\')
    said = command("delete", "STAGE=dev", "DATA=delete", "YES=1")
    assert '--data="$GIVEN_DATA"' in said
    assert "--yes" in said
    assert "pv_1" not in command("smoke", "URL=https://x.example", "KEY=pv_1"), "everybody on the machine sees commands"


MADE = [
    word
    for marker in (".venv/.run", ".venv/.deliver", ".venv/.dev", ".venv-aws/.emulator", "console")
    for word in ("-o", marker)
]
"""What make is to take for installed."""

HOSTILE: Final = 'A=1"; touch hurt; "$(touch hurt)`touch hurt`$(shell touch hurt)'


def test_every_variable_that_make_names_is_taken_as_data() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    taken = re.search(r"^GIVEN := ((?:.*\\\n)*.*)$", makefile, re.MULTILINE)
    told = re.findall(r"^[a-z0-9-]+:[^#]*##(.*)", makefile, re.MULTILINE)
    named = set(re.findall(r"\b([A-Z_]+)=", " ".join(told)))
    assert taken is not None
    assert {"FILE", "UPGRADE"} <= named <= set(taken[1].split())


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("smoke", "KEY"),
        ("smoke", "VISITS_KEY"),
        ("release", "PARAMETERS"),
        ("run", "PORT"),
        ("run", "AWS_PORT"),
        ("run", "STATE"),
        ("seed", "N"),
        ("seed", "URL"),
        ("import", "KEY"),
        ("import", "FILE"),
        ("import", "ZONE"),
        ("key", "STAGE"),
        ("key", "NAME"),
        ("key", "SCOPES"),
        ("key", "EXPIRES"),
        ("rotate-key", "OVERLAP"),
        ("revoke-key", "ID"),
        ("redrive", "ACTION"),
        ("redrive", "QUEUE"),
        ("redrive", "ONLY"),
        ("delete", "DATA"),
        ("package", "OUT"),
        ("package", "BUCKET"),
        ("terraform", "STAGE"),
        ("fuzz", "FUZZ_EXAMPLES"),
        ("fuzz", "FUZZ_SEED"),
    ],
)
@pytest.mark.parametrize("by", ["command line", "environment"])
def test_what_make_is_given_comes_through_as_it_is(target: str, given: str, by: str, tmp_path: Path) -> None:
    """Whatever is in them, it is no command; the jobs of GitLab and GitHub hold what deploys the stage."""
    shown = tmp_path / "python"
    shown.write_text(
        """#!/bin/sh\nprintf '%s\\n' "$VISITS_KEY" "$FUZZ_EXAMPLES" "$FUZZ_SEED" "$@"\n""", encoding="utf-8"
    )
    shown.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "-f", str(ROOT / "Makefile"), *MADE, target]
    told = {"BIN": str(tmp_path), "FILE": "visits.csv", "STAGE": "beta"}
    if by == "environment" or given == "VISITS_KEY":
        told.pop(given, None)
        environment |= {given: HOSTILE}
    else:
        told |= {given: HOSTILE}
    done = subprocess.run(
        [*command, *(f"{name}={value}" for name, value in told.items())],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert HOSTILE in done.stdout
    assert not (tmp_path / "hurt").exists()
