"""`make release` on the embedded AWS: what is deployed, what is taken back, and what is said when it cannot go on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from devstack.emulator import Emulator, emulator
from tests.integration.test_console import built, for_the_emulator
from tools.deliver import cloudformation
from tools.deliver.cloudformation import bring_up_to_date, delete, outputs
from tools.deliver.console import stack_of as console_stack_of
from tools.deliver.data_stack import TEMPLATE as DATA
from tools.deliver.data_stack import credentials, data_stack_of, template_of
from tools.deliver.package import ZIP
from tools.deliver.release import Account, Package, main, release, stack_of
from tools.failure import CannotGoOn
from tools.generate.templates import RELEASE
from tools.project import REGION

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

STAGE = "beta"
URL = "https://api.visits.example/api/"


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with emulator() as running:
        yield running


@pytest.fixture(autouse=True)
def _at_the_embedded_aws(aws: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def prepare(client: CloudFormationClient, parameters: Mapping[str, str]) -> None:
    """As docs/delivery.md prepares an account for a stage."""
    template = json.loads(RELEASE.read_text(encoding="utf-8"))
    # The emulator knows no such resource. It is one that the account has already.
    del template["Resources"]["Issuer"]
    body = {"TemplateBody": json.dumps(template)}
    bring_up_to_date(client, stack_of(parameters["Stage"]), body, parameters, capabilities=["CAPABILITY_IAM"])


@pytest.fixture
def account(aws: Emulator) -> Iterator[Account]:
    """The account as docs/delivery.md prepares it; the app that a test has deployed goes at its end."""
    client = boto3.client("cloudformation", **credentials(aws.endpoint))
    issuer = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
    prepare(client, {"Stage": STAGE, "Provider": "GitHub", "Repository": "agency/visits", "IssuerArn": issuer})
    yield Account.prepared_for(STAGE)
    client.delete_stack(StackName=f"visits-{STAGE}")


def packaged(folder: Path, said: str, stage: str = STAGE) -> Package:
    """A small app in the place of ours, whose short forms only AWS's CloudFormation writes out."""
    template = {
        "Parameters": {
            "DeploymentType": {"Type": "String", "Default": "AllAtOnce"},
            "PermissionsBoundary": {"Type": "String", "Default": ""},
            "AlarmTopicArn": {"Type": "String", "Default": ""},
        },
        "Resources": {
            "Says": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "says", "Type": "String", "Value": said}},
            "How": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "how", "Type": "String", "Value": {"Ref": "DeploymentType"}},
            },
            "Told": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "told", "Type": "String", "Value": {"Fn::Sub": "to ${AlarmTopicArn}"}},
            },
        },
        "Outputs": {"EndpointURL": {"Value": URL}},
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{stage}.json").write_text(json.dumps(template), encoding="utf-8")
    (folder / "data.json").write_text(DATA.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / ZIP).write_bytes(b"the code")
    (folder / "console.json").write_text(json.dumps(for_the_emulator(80)), encoding="utf-8")
    built(folder / "console", said)
    return Package(folder, stage)


def well(url: str) -> bool:
    return url == URL


def ill(url: str) -> bool:
    return False


def seen(url: str) -> bool:
    return url.startswith("https://")


def unseen(url: str) -> bool:
    return False


def live() -> str:
    """What the page of the console says."""
    s3: Any = boto3.client("s3")
    bucket = outputs(boto3.client("cloudformation"), console_stack_of(STAGE))["Bucket"]
    page: bytes = s3.get_object(Bucket=bucket, Key="index.html")["Body"].read()
    return page.decode()


def value(name: str) -> str | None:
    ssm: Any = boto3.client("ssm")
    found: list[str] = [each["Value"] for each in ssm.get_parameters(Names=[name])["Parameters"]]
    return found[0] if found else None


def test_a_release_deploys_data_and_app_and_a_second_one_updates_them(account: Account, tmp_path: Path) -> None:
    assert release(packaged(tmp_path, "one"), account, {}, well, seen).api == URL
    assert value("says") == "one"
    assert boto3.client("dynamodb").describe_table(TableName=f"visits-{STAGE}")["Table"]["TableStatus"] == "ACTIVE"
    release(packaged(tmp_path, "two"), account, {"DeploymentType": "Canary10Percent5Minutes"}, well, seen)
    assert (value("says"), value("how")) == ("two", "Canary10Percent5Minutes")
    assert (
        release(packaged(tmp_path, "two"), account, {"DeploymentType": "Canary10Percent5Minutes"}, well, seen).api
        == URL
    )


def test_a_release_that_does_not_answer_well_is_taken_back_at_once(account: Account, tmp_path: Path) -> None:
    release(packaged(tmp_path, "good"), account, {"DeploymentType": "Canary10Percent5Minutes"}, well, seen)
    with pytest.raises(CannotGoOn, match="the previous release is back in place"):
        release(packaged(tmp_path, "bad"), account, {"DeploymentType": "Canary10Percent5Minutes"}, ill, seen)
    assert (value("says"), value("how")) == ("good", "AllAtOnce")


def test_a_release_has_the_console_of_its_api_and_goes_back_with_it(account: Account, tmp_path: Path) -> None:
    assert release(packaged(tmp_path / "good", "good"), account, {}, well, seen).console.startswith("https://")
    with pytest.raises(CannotGoOn, match=r"the previous one is live again.*the previous release is back in place"):
        release(packaged(tmp_path / "unseen", "unseen"), account, {}, well, unseen)
    assert (value("says"), "console-good.js" in live()) == ("good", True)
    with pytest.raises(CannotGoOn, match="failed its smoke test"):
        release(packaged(tmp_path / "bad", "bad"), account, {}, ill, seen)
    assert (value("says"), "console-good.js" in live()) == ("good", True)


# The data stack


def of_version(package: Package, number: int, *indexes: str, takes_away: tuple[str, ...] = ()) -> Package:
    """The package with another data template: with these indexes besides those that there are."""
    template = json.loads(DATA.read_text(encoding="utf-8"))
    template["Metadata"] = {"Version": number, "TakesAway": list(takes_away)}
    properties = template["Resources"]["Table"]["Properties"]
    properties["AttributeDefinitions"].append({"AttributeName": "g4pk", "AttributeType": "S"})
    properties["GlobalSecondaryIndexes"] += [
        {
            "IndexName": name,
            "KeySchema": [{"AttributeName": "g4pk", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for name in indexes
    ]
    (package.folder / "data.json").write_text(json.dumps(template), encoding="utf-8")
    return package


@pytest.fixture
def no_data(account: Account) -> Iterator[None]:
    """Nobody's data, before and after: the tests here make a table of other versions."""
    forget()
    yield
    forget()


def forget() -> None:
    delete(boto3.client("cloudformation"), data_stack_of(STAGE))
    dynamodb, sqs = boto3.client("dynamodb"), boto3.client("sqs")
    with contextlib.suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.delete_table(TableName=f"visits-{STAGE}")
    for queue in sqs.list_queues(QueueNamePrefix=f"visits-{STAGE}").get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=queue)


def indexes() -> set[str]:
    table: Any = boto3.client("dynamodb").describe_table(TableName=f"visits-{STAGE}")["Table"]
    return {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}


@pytest.mark.usefixtures("no_data")
def test_going_back_leaves_the_data_stack_as_it_is(
    account: Account, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code that is live until the old app is there asks for what the newer template has brought."""
    release(of_version(packaged(tmp_path, "old"), 10), account, {}, well, seen)
    release(of_version(packaged(tmp_path, "new"), 11, "byVisitor"), account, {}, well, seen)
    assert "byVisitor" in indexes()
    release(of_version(packaged(tmp_path, "old"), 10), account, {}, well, seen)
    assert value("says") == "old"
    assert "byVisitor" in indexes()
    assert "visits-data-beta stays at version 11: this release is older, 10" in capsys.readouterr().out


@pytest.mark.usefixtures("no_data")
def test_a_newer_release_takes_nothing_away_unless_it_names_it(account: Account, tmp_path: Path) -> None:
    release(of_version(packaged(tmp_path, "one"), 10, "byVisitor"), account, {}, well, seen)
    with pytest.raises(CannotGoOn, match=r"would lose Table\.GlobalSecondaryIndexes\.byVisitor"):
        release(of_version(packaged(tmp_path, "two"), 11), account, {}, well, seen)
    assert (value("says"), "byVisitor" in indexes()) == ("one", True), "nothing was deployed"
    named = ("Table.GlobalSecondaryIndexes.byVisitor",)
    release(of_version(packaged(tmp_path, "two"), 11, takes_away=named), account, {}, well, seen)
    assert (value("says"), "byVisitor" in indexes()) == ("two", False)


@pytest.mark.usefixtures("no_data")
def test_what_cloudformation_would_make_anew_is_refused(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS says so in its change set, also of something that is only added; the emulator finds it out too late."""
    release(of_version(packaged(tmp_path, "one"), 10), account, {}, well, seen)
    replaced = {"Action": "Modify", "LogicalResourceId": "Table", "Replacement": "True"}
    monkeypatch.setattr(cloudformation, "_changes", lambda *of: [{"ResourceChange": replaced}])
    with pytest.raises(CannotGoOn, match="would lose Table,"):
        release(of_version(packaged(tmp_path, "two"), 11, "byVisitor"), account, {}, well, seen)
    assert (value("says"), "byVisitor" in indexes()) == ("one", False)
    left = boto3.client("cloudformation").list_change_sets(StackName=data_stack_of(STAGE))["Summaries"]
    assert [each for each in left if each["ExecutionStatus"] == "AVAILABLE"] == []


def test_cloudformation_s_own_words_are_judged(account: Account) -> None:
    judged: list[str] = []
    client = boto3.client("cloudformation")
    template = {"Resources": {"Said": {"Type": "AWS::SNS::Topic"}}}
    bring_up_to_date(
        client,
        "judged",
        {"TemplateBody": json.dumps(template)},
        {},
        judge=lambda changes: judged.extend(each["ResourceChange"]["Action"] for each in changes),
    )
    assert judged == ["Add"]
    delete(client, "judged")


def test_a_first_release_that_does_not_answer_well_stays_and_is_told(account: Account, tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match="none to go back to"):
        release(packaged(tmp_path, "first"), account, {}, ill, seen)
    assert value("says") == "first"


def test_the_code_lies_in_the_bucket_under_its_own_hash(account: Account, tmp_path: Path) -> None:
    package = packaged(tmp_path, "coded")
    template = json.loads((tmp_path / f"{STAGE}.json").read_text(encoding="utf-8"))
    template["Resources"]["Function"] = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": f"./{ZIP}"}}
    (tmp_path / f"{STAGE}.json").write_text(json.dumps(template), encoding="utf-8")
    code = {"Bucket": account.bucket, "Key": "code/hash.zip"}
    assert package.app(code)["Resources"]["Function"]["Properties"]["CodeUri"] == code
    del template["Resources"]["Function"]
    (tmp_path / f"{STAGE}.json").write_text(json.dumps(template), encoding="utf-8")
    release(package, account, {}, well, seen)
    s3: Any = boto3.client("s3")
    (key,) = [each["Key"] for each in s3.list_objects_v2(Bucket=account.bucket, Prefix="code/")["Contents"]]
    assert s3.get_object(Bucket=account.bucket, Key=key)["Body"].read() == b"the code"


def test_other_code_under_the_name_of_ours_is_not_deployed(account: Account, tmp_path: Path) -> None:
    """Whoever may write into the bucket knows the name of what will be built next, and could be there first."""
    package = packaged(tmp_path, "overtaken")
    (tmp_path / ZIP).write_bytes(b"code of the next release")
    name = f"code/{hashlib.sha256(package.zip).hexdigest()}.zip"
    s3: Any = boto3.client("s3")
    s3.put_object(Bucket=account.bucket, Key=name, Body=b"somebody else's", IfNoneMatch="*")
    with pytest.raises(CannotGoOn, match=f"{name} does not match the hash in its name"):
        release(package, account, {}, well, seen)
    assert value("says") != "overtaken"


def test_the_data_stack_takes_in_what_outlived_an_earlier_one() -> None:
    """CloudFormation looks for a table or a queue that is there only by a name that is written out."""
    resources = template_of(STAGE)["Resources"]
    names = {each: resources[each]["Properties"] for each in ("Table", "IntakeQueue", "DeadLetters")}
    assert names["Table"]["TableName"] == names["IntakeQueue"]["QueueName"] == "visits-beta"
    assert names["DeadLetters"]["QueueName"] == "visits-beta-dead"


def test_a_parameter_that_no_template_has_is_refused_before_anything_is_deployed(
    account: Account, tmp_path: Path
) -> None:
    with pytest.raises(CannotGoOn, match="No template has a parameter DeploymentTyp;"):
        release(packaged(tmp_path, "never"), account, {"DeploymentTyp": "AllAtOnce"}, well, seen)
    assert value("says") != "never"


def test_what_is_missing_is_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packaged(tmp_path, "unprepared")
    assert main(["dev", "--folder", str(tmp_path)]) == 1
    assert "make package STAGE=dev" in capsys.readouterr().err
    shutil.copyfile(tmp_path / f"{STAGE}.json", tmp_path / "dev.json")
    assert main(["dev", "--folder", str(tmp_path)]) == 1
    assert "the stack visits-release-dev is missing" in capsys.readouterr().err
    assert main([STAGE, "--folder", str(tmp_path), "--parameters", "DeploymentType"]) == 1
    assert "Name=value" in capsys.readouterr().err
