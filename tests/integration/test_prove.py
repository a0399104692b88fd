"""`make prove` with the real Chalice against the embedded AWS: its whole course once, and cut off where it hurts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.session import Session

from tests.integration.folders import Folder, folder_in
from tools.deliver.cloudformation import bring_up_to_date, delete, empty
from tools.deliver.package import ZIP
from tools.prove.claims import CLAIMS
from tools.prove.sweep import sweep

PROVE = """
import sys
from botocore.session import Session
from chalice.deploy.packager import LambdaDeploymentPackager
from gateway_import import bridge
from tools.prove.__main__ import main
own = Session()
bridge(own)
package = sys.argv.pop(1)
LambdaDeploymentPackager.create_deployment_package = lambda *_: package
sys.exit(main(sys.argv[1:], own))
"""
"""What Chalice would package is there already: test_chalice_deploy.py sees to it."""

HOLD_HERE = {claim.name for claim in CLAIMS if not claim.lacking}
"""The claims that the emulator can show."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    with folder_in(tmp_path_factory.mktemp("prove")) as made:
        yield made


def prove(folder: Folder, package: Path, *options: str, cut_off_at: str = "") -> tuple[int, str]:
    """Exit code and output; with Ctrl-C when a line of it has the words."""
    command = [sys.executable, "-u", "-c", PROVE, str(package), *options]
    said = []
    with subprocess.Popen(
        command,
        cwd=folder.path,
        env=folder.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            if cut_off_at and cut_off_at in line:
                running.send_signal(signal.SIGINT)
                cut_off_at = ""
    assert not cut_off_at, "".join(said)
    return running.returncode, "".join(said)


def contents(folder: Folder) -> list[str]:
    """What the account has, whoever made it."""
    stacks = folder.client("cloudformation").describe_stacks()["Stacks"]
    return sorted(
        [
            *(it["StackName"] for it in stacks if it["StackStatus"] != "DELETE_COMPLETE"),
            *folder.client("dynamodb").list_tables()["TableNames"],
            *folder.client("sqs").list_queues().get("QueueUrls", []),
            *(it["Name"] for it in folder.client("s3").list_buckets()["Buckets"]),
            *(it["FunctionName"] for it in folder.client("lambda").list_functions()["Functions"]),
            *(it["UUID"] for it in folder.client("lambda").list_event_source_mappings()["EventSourceMappings"]),
            *(it["name"] for it in folder.client("apigateway").get_rest_apis()["items"]),
            *(it["RoleName"] for it in folder.client("iam").list_roles()["Roles"]),
            *(it["Name"] for it in folder.client("events").list_rules()["Rules"]),
            *(it["Id"] for it in folder.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]),
            *(it["TopicArn"] for it in folder.client("sns").list_topics()["Topics"]),
            *(it["logGroupName"] for it in folder.client("logs").describe_log_groups()["logGroups"]),
        ]
    )


def test_it_says_what_it_makes_and_costs_and_makes_nothing_without_a_yes(folder: Folder, packaged: Path) -> None:
    before = contents(folder)
    code, said = prove(folder, packaged / ZIP)
    assert code == 1
    assert "less than one US dollar" in said
    assert "deletes everything whose name is visits-trial" in said
    assert "Nothing was made." in said
    assert contents(folder) == before


def test_cut_off_in_the_middle_of_the_deployment_it_leaves_nothing(folder: Folder, packaged: Path) -> None:
    bystander = folder.client("sqs").create_queue(QueueName="visits-trial2")["QueueUrl"]
    before = contents(folder)
    code, said = prove(folder, packaged / ZIP, "--yes", cut_off_at="Creating lambda function: visits-trial-relay")
    assert code == 130, said
    assert "Traceback" not in said
    assert "  function visits-trial-" in said
    assert contents(folder) == before, said
    proof = (folder.path / "build" / "proof.md").read_text(encoding="utf-8")
    assert "Interrupted. Everything that was made is deleted." in proof
    assert f"Not reached: {CLAIMS[0].name};" in proof
    folder.client("sqs").delete_queue(QueueUrl=bystander)


def test_what_was_made_by_a_wish_goes_too_with_every_version_of_its_files(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in folder.environment.items():
        monkeypatch.setenv(name, value)
    cloudformation, s3 = folder.client("cloudformation"), folder.client("s3")
    versioned = {"VersioningConfiguration": {"Status": "Enabled"}}

    def make(stack: str, bucket: str) -> None:
        resource = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket, **versioned}}
        bring_up_to_date(cloudformation, stack, {"TemplateBody": json.dumps({"Resources": {"Files": resource}})}, {})
        for content in (b"one", b"two"):
            s3.put_object(Bucket=bucket, Key="index.html", Body=content)
        s3.delete_object(Bucket=bucket, Key="index.html")

    make("visits-trial2", f"visits-trial2-{folder.region}")
    events = folder.client("events")
    events.put_rule(Name="visits-trial2-minute", ScheduleExpression="rate(1 minute)")
    before = contents(folder)
    events.put_rule(Name="visits-trial-minute", ScheduleExpression="rate(1 minute)")
    make("visits-console-trial", f"visits-trial-console-000000000000-{folder.region}")
    make("visits-trial-mail", f"visits-trial-mail-000000000000-{folder.region}")
    monkeypatch.setattr("tools.prove.sweep.AGAIN_SECONDS", 0)
    said: list[str] = []
    sweep(Session(), said.append)
    assert contents(folder) == before
    assert {"  stack visits-console-trial", "  stack visits-trial-mail"} <= set(said)
    events.delete_rule(Name="visits-trial2-minute")
    empty(s3, f"visits-trial2-{folder.region}")
    delete(cloudformation, "visits-trial2")


def test_its_whole_course_tries_every_claim_and_leaves_nothing_though_cut_off_while_deleting(
    folder: Folder, packaged: Path
) -> None:
    before = contents(folder)
    code, said = prove(folder, packaged / ZIP, "--yes", cut_off_at="Deleting everything of the trial")
    assert code == 0, said
    assert "Traceback" not in said
    assert "The trial is being deleted; please wait." in said
    assert contents(folder) == before, said
    proof = (folder.path / "build" / "proof.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ([^|]+) \| \[.*\*\*([a-z ]+)\*\* \|", proof, re.MULTILINE))
    assert rows.keys() == {claim.name for claim in CLAIMS}
    assert {name for name, verdict in rows.items() if verdict == "holds"} == HOLD_HERE, proof
    assert "does not hold" not in rows.values(), proof
