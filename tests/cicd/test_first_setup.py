"""The first set-up of docs/delivery.md: its commands, run by the AWS CLI on the embedded AWS as far as that goes.

It has neither pipelines nor connections: something else stands in their places in the template.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from devstack.emulator import emulator
from tools.deliver.data_stack import credentials
from tools.generate.templates import PIPELINE
from tools.project import REGION, ROOT

STACK: Final = "visits-pipeline"
WITHOUT_A_BUCKET: Final = 51_200
NOT_EMBEDDED: Final = ("AWS::CodePipeline::Pipeline", "AWS::CodeConnections::Connection")
STAND_IN: Final = {
    "Type": "AWS::SSM::Parameter",
    "Properties": {"Type": "String", "Value": {"Fn::If": ["HasTestKey", "tested with a key", "without"]}},
}

GIVEN: Final = {"<bucket>": "templates-of-agency", "<owner>": "agency", "<repository>": "visits", "<team@...>": "a@b.c"}

needs_the_cli = pytest.mark.skipif(shutil.which("aws") is None, reason="the AWS CLI is not on this machine")


def commands() -> list[list[str]]:
    """What the section tells to type, less what is not the AWS CLI's."""
    text = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    section = text.partition("\n## First set-up\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for placeholder, value in GIVEN.items():
        lines = [line.replace(placeholder, value) for line in lines]
    return [shlex.split(line) for line in lines if line.startswith("aws ")]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with emulator() as aws:
        yield aws.endpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a pipeline.json that the embedded AWS can deploy."""
    template = json.loads(PIPELINE.read_text(encoding="utf-8"))
    for name, resource in template["Resources"].items():
        if resource["Type"] in NOT_EMBEDDED:
            template["Resources"][name] = STAND_IN
    (tmp_path / PIPELINE.name).write_text(json.dumps(template, indent=1), encoding="utf-8")
    return tmp_path


def run(command: list[str], folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    foreign = ("AWS_", "PYTHON")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
    surroundings |= account | {"AWS_ENDPOINT_URL": endpoint, "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": ""}
    return subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True)


def stack(endpoint: str) -> Mapping[str, Any]:
    client = boto3.client("cloudformation", **credentials(endpoint))
    return client.describe_stacks(StackName=STACK)["Stacks"][0]


@needs_the_cli
def test_the_commands_of_the_first_set_up_work_in_their_order(folder: Path, endpoint: str) -> None:
    for command in commands():
        assert not any("<" in word for word in command), f"what is to be filled in there? {command}"
        done = run(command, folder, endpoint)
        assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    there = stack(endpoint)
    assert there["StackStatus"] == "UPDATE_COMPLETE"
    said = {each["ParameterKey"]: each["ParameterValue"] for each in there["Parameters"]}
    assert (said["GithubOwner"], said["GithubRepoName"], said["BetaTestKey"]) == ("agency", "visits", "yes")
    ssm: Any = boto3.client("ssm", **credentials(endpoint))
    assert ssm.get_parameter(Name="/visits/beta/test-key")["Parameter"]["Type"] == "SecureString"


@needs_the_cli
def test_without_the_bucket_it_would_not_work(folder: Path, endpoint: str) -> None:
    """The CLI itself refuses what CloudFormation would not take: whoever shortens the commands is told."""
    assert len((folder / PIPELINE.name).read_bytes()) > WITHOUT_A_BUCKET
    (deploys, *_) = [command for command in commands() if command[1:3] == ["cloudformation", "deploy"]]
    at = deploys.index("--s3-bucket")
    done = run([*deploys[:at], *deploys[at + 2 :]], folder, endpoint)
    assert done.returncode != 0
    assert "s3-bucket" in done.stderr


def test_a_change_of_the_pipeline_is_deployed_by_a_command_that_has_been_run() -> None:
    """Every way in the documents to hand pipeline.json to CloudFormation names the bucket."""
    documents = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    texts = [path.read_text(encoding="utf-8").replace("\\\n", " ") for path in documents]
    deploys = [line for text in texts for line in text.splitlines() if "--template-file pipeline.json" in line]
    assert deploys
    assert [line for line in deploys if "--s3-bucket" not in line] == []
