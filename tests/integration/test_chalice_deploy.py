"""`make deploy` and `make delete` with the real Chalice, against the embedded AWS: up, changed, taken over, down.

In a copy of the project, so that what Chalice remembers of a deployment is its own. Only the import of an API's
definition is bridged (gateway_import.py).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chalicelib.functions import FUNCTIONS
from tests.builders import property_body
from tests.e2e.address import address_of
from tests.integration.folders import Folder, folder_in
from tools.deliver.release import smoke_test
from tools.generate.gateway_responses import MERGE_TEMPLATE, definition
from tools.project import HOST, REGION


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    with folder_in(tmp_path_factory.mktemp("deploy")) as made:
        yield made


@pytest.fixture
def names_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's names lead to the emulator, for this process."""
    look_up = socket.getaddrinfo

    def found(host: Any, *more: Any, **rest: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up(HOST if name and name.endswith(f".execute-api.{HOST}") else host, *more, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setenv("NO_PROXY", "*")


# The tests follow one stage through its life, in this order.

LACKING = """
import sys
from types import SimpleNamespace
from chalice.deploy import packager
from botocore.session import Session
from tools.deliver.deploy import main

def lacks(*_):
    raise packager.MissingDependencyError([SimpleNamespace(identifier="lacking==1.0")])

packager.DependencyBuilder.build_site_packages = lacks
sys.exit(main(["deploy", "--stage", "dev"], Session()))
"""


def test_a_dependency_that_cannot_be_installed_stops_it_before_anything_of_the_app_is_there(folder: Folder) -> None:
    """Chalice would only say so and go on, and take its unfinished package for a complete one the next time."""
    command = [sys.executable, "-c", LACKING]
    done = subprocess.run(command, cwd=folder.path, env=folder.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Could not install dependencies:\nlacking==1.0\nNothing of the app was deployed." in done.stderr
    assert folder.client("lambda").list_functions()["Functions"] == []
    assert not list((folder.path / ".chalice").glob("deployments/*.zip"))


@pytest.fixture(scope="module")
def deployed(folder: Folder, packaged: Path) -> str:
    """What the first deployment says, for which Chalice's package is there already."""
    folder.has_packaged(packaged)
    return folder.deploy()


@pytest.fixture(scope="module")
def key(folder: Folder, deployed: str) -> str:
    """An API key, made by the command that the deployment tells."""
    assert "make key STAGE=dev NAME=me SCOPES=read,write,admin" in deployed
    made = folder.keys("create", "--name", "me", "--scopes", "read,write,admin")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_a_first_deployment_says_where_it_answers_and_what_to_try(folder: Folder, deployed: str) -> None:
    address = f"https://{folder.api_id}.execute-api.{REGION}.amazonaws.com/api"
    assert f"The stage dev answers at {address}. Try:" in deployed
    assert f"curl -s {address}/health\n" in deployed
    assert f"make smoke URL={address} KEY=<api key>" in deployed


def test_api_and_stage_are_as_the_merge_template_says(folder: Folder, deployed: str) -> None:
    gateway = folder.client("apigateway")
    api = gateway.get_rest_api(restApiId=folder.api_id)
    assert api["name"] == "visits-dev"
    assert api["binaryMediaTypes"] == ["*/*"]
    assert str(api["minimumCompressionSize"]) == "1024"
    answers = {each["responseType"]: each for each in gateway.get_gateway_responses(restApiId=folder.api_id)["items"]}
    for kind, said in definition().items():
        assert answers[kind]["responseTemplates"] == said["responseTemplates"], kind
    stage = gateway.get_stage(restApiId=folder.api_id, stageName="api")
    said = json.loads(MERGE_TEMPLATE.read_text(encoding="utf-8"))
    limits = {
        f"{each['ResourcePath']}/{each['HttpMethod']}".replace("~1", "/").strip("/"): each["ThrottlingRateLimit"]
        for each in said["Resources"]["RestAPI"]["Properties"]["MethodSettings"]
    }
    there = {path.strip("/"): each["throttlingRateLimit"] for path, each in stage["methodSettings"].items()}
    assert there == limits


def untraced(folder: Folder) -> bool:
    """Whether the functions are traced and the gateway's stage is not."""
    stage = folder.client("apigateway").get_stage(restApiId=folder.api_id, stageName="api")
    functions = folder.client("lambda").list_functions()["Functions"]
    modes = {each["TracingConfig"]["Mode"] for each in functions}
    assert (len(functions), modes) == (len(FUNCTIONS), {"Active"})
    return not stage.get("tracingEnabled", False)


def test_no_trace_holds_an_address_or_a_caller(folder: Folder, deployed: str) -> None:
    """A trace of the gateway's stage would: calendar tokens are in queries."""
    assert untraced(folder)


@pytest.mark.usefixtures("names_resolve")
def test_changed_code_is_deployed_to_the_same_address_and_the_data_stays(folder: Folder, key: str) -> None:
    before = folder.api_id
    # As whoever looks for something in the console may leave it, or a release of old.
    traced = [{"op": "replace", "path": "/tracingEnabled", "value": "true"}]
    folder.client("apigateway").update_stage(restApiId=before, stageName="api", patchOperations=traced)
    for file in (folder.path / "app.py", folder.path / "chalicelib" / "openapi.json"):
        text = file.read_text(encoding="utf-8").replace("Check that the service", "Verify that the service")
        file.write_text(text, encoding="utf-8")
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        kept = http.put(f"{folder.url}/properties/kept", json=property_body(), headers={"If-None-Match": "*"})
        assert kept.status_code == 201, kept.text
        said = folder.deploy()
        assert "Reusing existing deployment package" not in said
        assert folder.api_id == before
        assert http.get(f"{folder.url}/properties/kept").status_code == 200
        assert "Verify that the service" in http.get(f"{folder.url}/openapi.json").text
        # Chalice's import of the definition has taken them away in between.
        lost = http.get(f"{folder.url}/nothing-here")
    assert lost.status_code == 404
    assert lost.headers["Content-Type"] == "application/problem+json"
    assert "throttling" not in said, "what was as it should be is not set again"
    assert untraced(folder)


def test_it_does_all_that_the_smoke_test_asks(
    folder: Folder, key: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Booking, the queue and its worker, exports, problem documents of the gateway: what Chalice packaged does it."""
    monkeypatch.setenv("VISITS_KEY", key)
    with address_of(f"{folder.endpoint}/api", folder.url.removeprefix("http://").removesuffix("/api")) as address:
        assert smoke_test(address), capfd.readouterr().out


def test_an_account_that_lets_the_gateway_log_gets_the_access_log(folder: Folder, deployed: str) -> None:
    """And a colleague's folder, which knows of no deployment, takes over this one instead of making a second."""
    assert "no access log" in deployed
    assert "docs/operations.md" in deployed
    gateway, api = folder.client("apigateway"), folder.api_id
    role = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": "arn:aws:iam::000000000000:role/gateway-logs"}]
    gateway.update_account(patchOperations=role)
    shutil.rmtree(folder.path / ".chalice" / "deployed")
    said = folder.deploy()
    assert f"Taking over the API visits-dev ({api})" in said
    assert "no access log" not in said
    assert folder.api_id == api
    assert len(gateway.get_rest_apis()["items"]) == 1
    log = gateway.get_stage(restApiId=api, stageName="api")["accessLogSettings"]
    assert "$context.requestId" in log["format"]
    name = log["destinationArn"].partition(":log-group:")[2]
    (group,) = folder.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert group["retentionInDays"] == 30


def test_a_stage_of_cloudformation_is_left_alone(folder: Folder, deployed: str) -> None:
    cloudformation = folder.client("cloudformation")
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    cloudformation.create_stack(StackName="visits-dev", TemplateBody=json.dumps(topic))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="visits-dev", WaiterConfig={"Delay": 1})
    for said in (folder.deploy(status=1), folder.delete("--data", "delete", "--yes", status=1)):
        assert "The stage dev is deployed by CloudFormation (stack visits-dev)" in said
    cloudformation.delete_stack(StackName="visits-dev")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="visits-dev", WaiterConfig={"Delay": 1})
    assert table_is_there(folder)


def test_data_is_not_deleted_without_a_yes(folder: Folder, deployed: str) -> None:
    assert "Nothing was deleted. YES=1 skips the question." in folder.delete("--data", "delete", status=1)
    assert table_is_there(folder)
    assert len(folder.client("lambda").list_functions()["Functions"]) == len(FUNCTIONS)


def test_protected_data_is_not_deleted_at_all(folder: Folder, deployed: str) -> None:
    dynamodb = folder.client("dynamodb")
    dynamodb.update_table(TableName="visits-dev", DeletionProtectionEnabled=True)
    said = folder.delete("--data", "delete", "--yes", status=1)
    assert "The table visits-dev is protected against deletion. Nothing was deleted." in said
    dynamodb.update_table(TableName="visits-dev", DeletionProtectionEnabled=False)
    assert len(folder.client("lambda").list_functions()["Functions"]) == len(FUNCTIONS)


def test_protected_people_are_not_deleted_either(folder: Folder, deployed: str) -> None:
    cognito, pool = folder.client("cognito-idp"), pool_of(folder)
    cognito.update_user_pool(UserPoolId=pool, DeletionProtection="ACTIVE")
    said = folder.delete("--data", "delete", "--yes", status=1)
    assert f"The user pool {pool} is protected against deletion. Nothing was deleted." in said
    cognito.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
    assert table_is_there(folder)


def test_deleting_takes_the_app_and_keeps_the_data(folder: Folder, key: str) -> None:
    assert "The data stays" in folder.delete()
    assert folder.client("lambda").list_functions()["Functions"] == []
    assert folder.client("apigateway").get_rest_apis()["items"] == []
    listed = folder.keys("list")
    assert "me" in listed.stdout
    assert pool_of(folder)
    assert "has not deployed dev" in folder.delete(), "a second time there is nothing to do"


def test_deleting_with_the_data_leaves_nothing(folder: Folder, deployed: str) -> None:
    folder.delete("--data", "delete", "--yes")
    assert not table_is_there(folder)
    assert not folder.client("sqs").list_queues().get("QueueUrls")
    assert folder.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"] == []
    stacks = folder.client("cloudformation").list_stacks(StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])
    assert stacks["StackSummaries"] == []
    folder.delete("--data", "delete", "--yes")


def pool_of(folder: Folder) -> str:
    (pool,) = folder.client("cognito-idp").list_user_pools(MaxResults=10)["UserPools"]
    id: str = pool["Id"]
    return id


def table_is_there(folder: Folder) -> bool:
    tables: list[str] = folder.client("dynamodb").list_tables()["TableNames"]
    return "visits-dev" in tables
