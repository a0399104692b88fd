"""pipeline.json is what `make pipeline` writes, fits into a stack, and leads nowhere that is not there."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

from tests.cicd.codebuild import BUILD_SPEC, CONSOLE_SPEC, DATA_SPEC, REGIONS_SPEC, TEST_SPEC
from tests.cicd.physical import Stack
from tests.cicd.pipeline_checks import Repository, findings, stages_of
from tests.cicd.stacks import FURTHER, pipeline
from tools.deliver.cloudformation import pairs
from tools.generate.templates import PIPELINE, STAGES, written
from tools.project import ROOT

BUCKET_BYTES: Final = 1_000_000
"""How large a template may be that CloudFormation fetches from a bucket
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html)."""

SPECS: Final = (BUILD_SPEC, CONSOLE_SPEC, DATA_SPEC, REGIONS_SPEC, TEST_SPEC)

OF_CHALICE: Final = ("EndpointURL", "RestAPIId")
"""Chalice's own outputs of an app."""

Part = dict[str, Any]


@cache
def repository() -> Repository:
    specs = {name: YAML(typ="safe").load(ROOT / name) for name in SPECS}
    app = json.loads((ROOT / ".chalice" / "resources.json").read_text(encoding="utf-8"))
    app["Outputs"] = {**app.get("Outputs", {}), **{name: {} for name in OF_CHALICE}}
    # The packaging says which stage it is.
    app["Parameters"]["Stage"]["Default"] = "beta"
    return Repository(specs, {"beta.json": app, "prod.json": app})


def template() -> Part:
    committed: Part = json.loads(PIPELINE.read_text(encoding="utf-8"))
    return committed


def test_the_committed_pipeline_is_what_make_pipeline_writes() -> None:
    assert PIPELINE.read_text(encoding="utf-8") == written("pipeline"), "run make pipeline"


def test_cloudformation_takes_it_from_a_bucket() -> None:
    assert len(PIPELINE.read_bytes()) < BUCKET_BYTES


def test_nothing_in_it_leads_nowhere() -> None:
    assert findings(template(), repository()) == []


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_gets_its_own_template_and_is_tried_at_its_own_address(name: str) -> None:
    found, title = template(), name.title()
    project = found["Resources"][configuration(found, f"{title}Data", "Data")["ProjectName"]["Ref"]]["Properties"]
    said = {each["Name"]: each["Value"] for each in project["Environment"]["EnvironmentVariables"]}
    assert said == {"STAGE": name, "DATA_ROLE_ARN": {"Fn::GetAtt": [f"{title}DataRole", "Arn"]}}
    app = configuration(found, title, "AppChanges")
    assert (app["StackName"], app["TemplatePath"]) == (f"visits-{name}", f"Packaged::{name}.json")
    overrides = json.loads(app["ParameterOverrides"]["Fn::Sub"])
    assert overrides["AlarmTopicArn"] == "${NoticeTopic}", "or its alarms would tell nobody"
    assert overrides["PermissionsBoundary"] == f"${{{title}Boundary}}"
    tried = json.dumps(configuration(found, title, "Test"))
    assert set(re.findall(r"#\{(\w+)\.(\w+)\}", tried)) == {(title, "EndpointURL")}


def test_who_may_approve_is_told_that_something_waits() -> None:
    assert configuration(template(), "Approve", "Approve")["NotificationArn"] == {"Ref": "NoticeTopic"}


def test_no_bucket_grows_for_ever() -> None:
    buckets = [each["Properties"] for each in template()["Resources"].values() if each["Type"] == "AWS::S3::Bucket"]
    for bucket in buckets:
        (rule,) = bucket["LifecycleConfiguration"]["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    assert len(buckets) == 3


# Each check, shown to work by the mistake that it is for


def stage(broken: Part, name: str) -> Part:
    (found,) = (each for each in stages_of(broken["Resources"]["AppPipeline"]["Properties"]) if each["Name"] == name)
    return dict(found)


def action(broken: Part, stage_name: str, name: str) -> Part:
    (found,) = (each for each in stage(broken, stage_name)["Actions"] if each["Name"] == name)
    # The very one of the template, to be changed.
    result: Part = found
    return result


def configuration(broken: Part, stage_name: str, name: str) -> Part:
    result: Part = action(broken, stage_name, name)["Configuration"]
    return result


def overriding(broken: Part, text: str) -> None:
    configuration(broken, "Prod", "AppChanges")["ParameterOverrides"] = text


def pattern(broken: Part) -> Part:
    result: Part = broken["Resources"]["PipelineFailed"]["Properties"]["EventPattern"]
    return result


MISTAKES: Final[Mapping[str, tuple[Callable[[Part], object], str]]] = {
    "a template that the build does not make": (
        lambda broken: configuration(broken, "Beta", "AppChanges").update(TemplatePath="Packaged::transformed.yaml"),
        "has no file transformed.yaml",
    ),
    "a template of an artifact that the action does not take": (
        lambda broken: configuration(broken, "Beta", "AppChanges").update(TemplatePath="SourceRepo::beta.json"),
        "in the artifact SourceRepo, which it does not take",
    ),
    "a provider that does not exist": (
        lambda broken: action(broken, "Build", "CodeBuild")["ActionTypeId"].update(Provider="Codebuild"),
        "no provider Codebuild",
    ),
    "a provider of another category": (
        lambda broken: action(broken, "Beta", "App")["ActionTypeId"].update(Category="Invoke"),
        "no provider CloudFormation in the category Invoke",
    ),
    "an action mode that does not exist": (
        lambda broken: configuration(broken, "Beta", "App").update(ActionMode="EXECUTE_CHANGE_SET"),
        "no action mode EXECUTE_CHANGE_SET",
    ),
    "a trigger for a source action that does not exist": (
        lambda broken: broken["Resources"]["AppPipeline"]["Properties"]["Triggers"][0]["GitConfiguration"].update(
            SourceActionName="GitHub"
        ),
        "waits for a source action GitHub",
    ),
    "an artifact that nobody hands on": (
        lambda broken: action(broken, "Prod", "AppChanges").update(InputArtifacts=[{"Name": "Compiled"}]),
        "takes the artifact Compiled",
    ),
    "a variable of an unknown namespace": (
        lambda broken: configuration(broken, "Approve", "Approve").update(CustomData="#{Sauce.CommitId}"),
        "uses #{Sauce.CommitId}",
    ),
    "a variable that its action does not tell": (
        lambda broken: configuration(broken, "Approve", "Approve").update(CustomData="#{Beta.Url}"),
        "uses #{Beta.Url}",
    ),
    "a variable of an action that comes later": (
        lambda broken: configuration(broken, "Approve", "Approve").update(CustomData="#{Prod.EndpointURL}"),
        "uses #{Prod.EndpointURL}",
    ),
    "an action without a role": (
        lambda broken: configuration(broken, "Prod", "AppChanges").pop("RoleArn"),
        "a CHANGE_SET_REPLACE needs RoleArn",
    ),
    "a role that is not there": (
        lambda broken: broken["Resources"].pop("ProdAppRole"),
        "AppChanges has no role",
    ),
    "a rule without a role": (
        lambda broken: broken["Resources"]["PipelineFailed"]["Properties"]["Targets"][0].pop("RoleArn"),
        "PipelineFailed has no role",
    ),
    "a rule for a state in small letters": (
        lambda broken: pattern(broken)["detail"].update(state=["failed"]),
        "knows no state failed",
    ),
    "a rule for an event that does not exist": (
        lambda broken: pattern(broken).update({"detail-type": ["CodePipeline Execution State Change"]}),
        "no event 'CodePipeline Execution State Change'",
    ),
    "a rule for a member that events do not have": (
        lambda broken: pattern(broken)["detail"].update({"status": ["FAILED"]}),
        "the detail has no status",
    ),
    "a rule for a pipeline that does not exist": (
        lambda broken: pattern(broken)["detail"].update(pipeline=["visitsPipeline"]),
        "visitsPipeline is no pipeline",
    ),
    "a rule for another source": (
        lambda broken: pattern(broken).update(source=["codepipeline.amazonaws.com"]),
        "not from ['codepipeline.amazonaws.com']",
    ),
    "parameters that are no JSON": (
        lambda broken: overriding(broken, "DeploymentType=AllAtOnce"),
        "are no JSON",
    ),
    "a parameter that the template does not have": (
        lambda broken: overriding(broken, '{"Deployment": "AllAtOnce"}'),
        "the parameter Deployment, which the template does not have",
    ),
    "a way to deploy that the template does not know": (
        lambda broken: overriding(broken, '{"DeploymentType": "LambdaCanary10Percent5Minutes"}'),
        "the value LambdaCanary10Percent5Minutes, which is not allowed",
    ),
    "more parameters than fit": (
        lambda broken: overriding(broken, json.dumps({"AlarmTopicArn": "x" * 1000})),
        "1000 are allowed",
    ),
    "a change set that nobody made": (
        lambda broken: configuration(broken, "Beta", "App").update(ChangeSetName="other"),
        "which nobody made",
    ),
    "a project that is not there": (
        lambda broken: configuration(broken, "Beta", "Test").update(ProjectName={"Ref": "SmokeTest"}),
        "which is no project",
    ),
    "a build spec that is not there": (
        lambda broken: broken["Resources"]["ReleaseTest"]["Properties"]["Source"].update(BuildSpec="test.yml"),
        "follows test.yml, which is not there",
    ),
    "environment variables that are no JSON": (
        lambda broken: configuration(broken, "Prod", "Test").update(EnvironmentVariables="API_URL=x"),
        "variables are no JSON",
    ),
    "a source that would be rolled back": (
        lambda broken: broken["Resources"]["AppPipeline"]["Properties"]["Stages"][0].update(
            OnFailure={"Result": "ROLLBACK"}
        ),
        "cannot be rolled back",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str) -> None:
    make, finding = MISTAKES[mistake]
    broken = copy.deepcopy(template())
    make(broken)
    assert any(finding in each for each in findings(broken, repository())), findings(broken, repository())


# What the way to production promises


def test_production_is_behind_a_tested_beta_and_an_approval_and_goes_back_when_it_fails() -> None:
    names = [each["Name"] for each in Stack(template(), "visits-pipeline").properties("AppPipeline")["Stages"]]
    assert names == ["Source", "Build", "BetaData", "Beta", "Approve", "ProdData", "Prod"]
    for name in ("Beta", "Prod"):
        assert steps(name) == ["AppChanges", "App", "Test", "Console"]
        assert stage(template(), name)["OnFailure"] == {"Result": "ROLLBACK"}
    approval = configuration(template(), "Approve", "Approve")
    assert approval["ExternalEntityLink"].endswith("/commit/#{Source.CommitId}")


def test_the_data_stack_goes_back_neither_with_an_app_that_failed_nor_with_an_older_revision() -> None:
    """What is live until the app is back would ask for an index that was taken away under it. The pipeline makes no
    change set of the data by itself: what `make release` uses does, and leaves the data alone when it goes back.
    """
    for name in ("BetaData", "ProdData"):
        assert steps(name) == ["Data"]
        assert "OnFailure" not in stage(template(), name)
        project = template()["Resources"][configuration(template(), name, "Data")["ProjectName"]["Ref"]]
        assert project["Properties"]["Source"]["BuildSpec"] == DATA_SPEC
    commands = repository().specs[DATA_SPEC]["phases"]["build"]["commands"]
    told = ['STREAM_ARN="$(cat build/data/StreamArn)"', 'SIGN_IN_ISSUER="$(cat build/data/SignInIssuer)"']
    assert commands == ['make release-data STAGE="$STAGE"', *told]
    deployed = re.findall(r'"StackName": ?"([^"]*)"', PIPELINE.read_text(encoding="utf-8"))
    assert set(deployed) == {"visits-beta", "visits-prod"}


def test_further_regions_come_after_production_with_the_same_canary_by_what_make_release_does() -> None:
    here, regions = pipeline().properties("AppPipeline")["Stages"][-2:]
    assert (here["Name"], regions["Name"]) == ("Prod", "Regions")
    (release,) = regions["Actions"]
    assert [each["Name"] for each in release["InputArtifacts"]] == ["SourceRepo", "Packaged"]
    variables = pipeline().properties("RegionsRelease")["Environment"]["EnvironmentVariables"]
    said = {each["Name"]: each["Value"] for each in variables}
    assert (said["STAGE"], said["REGIONS"]) == ("prod", " ".join(FURTHER))
    overrides = json.loads(pipeline().value(configuration(template(), "Prod", "AppChanges")["ParameterOverrides"]))
    told = ("DeploymentType", "RunbookUrl")
    assert pairs(said["PARAMETERS"]) == {name: overrides[name] for name in told}


def test_without_a_list_of_regions_there_is_nothing_of_them() -> None:
    alone = Stack(template(), "visits-pipeline", {"GithubOwner": "agency", "GithubRepoName": "visits"})
    gone = {name for name in alone.resources if not alone.makes(name)}
    assert gone == {"RegionsRelease", "RegionsReleaseRole", "RegionsLogs"}
    assert not any(name in json.dumps(alone.properties("CodePipelineRole")) for name in ("regions", *gone))


@pytest.mark.parametrize(
    ("regions", "taken"),
    [
        ("", True),
        ("eu-west-1", True),
        ("us-gov-west-1 ap-southeast-2", True),
        ("*", False),
        ("eu-*", False),
        ("eu-west-1,us-east-1", False),
        ("eu-west-1  us-east-1", False),
        ("eu-west-1 ", False),
    ],
)
def test_regions_are_named_in_full_with_one_blank_between(regions: str, taken: bool) -> None:
    assert bool(re.fullmatch(template()["Parameters"]["Regions"]["AllowedPattern"], regions)) is taken


def steps(stage_name: str) -> list[str]:
    actions = sorted(stage(template(), stage_name)["Actions"], key=lambda each: int(each["RunOrder"]))
    return [each["Name"] for each in actions]


def test_production_gets_a_release_by_canary_and_beta_at_once() -> None:
    def deployment(stage_name: str) -> object:
        return json.loads(configuration(template(), stage_name, "AppChanges")["ParameterOverrides"]["Fn::Sub"])[
            "DeploymentType"
        ]

    assert (deployment("Beta"), deployment("Prod")) == ("AllAtOnce", "Canary10Percent5Minutes")


def test_a_push_to_main_starts_it_and_a_pull_request_starts_the_other() -> None:
    resources = template()["Resources"]
    release, pull_request = (
        resources[name]["Properties"]["Triggers"][0]["GitConfiguration"]
        for name in ("AppPipeline", "PullRequestPipeline")
    )
    assert release["Push"] == [{"Branches": {"Includes": [{"Ref": "GithubBranch"}]}}]
    assert "PullRequest" not in release
    assert pull_request["PullRequest"][0]["Events"] == ["OPEN", "UPDATED"]
    assert "Push" not in pull_request
    assert template()["Parameters"]["GithubBranch"]["Default"] == "main"
    stages = [each["Name"] for each in resources["PullRequestPipeline"]["Properties"]["Stages"]]
    assert stages == ["Source", "Check"]


def test_the_first_set_up_says_every_parameter_that_has_no_default() -> None:
    needed = {name for name, parameter in template()["Parameters"].items() if "Default" not in parameter}
    (command,) = re.findall(r"--parameter-overrides (GithubOwner=.*)", (ROOT / "docs" / "delivery.md").read_text())
    assert set(re.findall(r"(\w+)=<", command)) == needed
