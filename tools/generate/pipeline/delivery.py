"""The way from a push to production, and apart from it the pipeline that only builds pull requests.

A stage is rolled back as a whole: so the test of a deployment is part of its stage, and a beta that fails it goes back
to the last one that passed. Its data stack is a stage apart, which does not. What brings that up to date is what `make
release` uses: it leaves the data alone when an older revision is released, and refuses what takes something away.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chalice.pipeline import BaseResource, PipelineParameters

from tools.generate.pipeline.builds import data_release
from tools.generate.pipeline.language import SERVICE, Part, attribute, ref, sub
from tools.generate.pipeline.roles import TEST_KEY, app_role, boundary

ALL_AT_ONCE: Final = "AllAtOnce"
CANARY: Final = "Canary10Percent5Minutes"

SOURCE, PACKAGED = "SourceRepo", "Packaged"
"""The artifacts: what was pushed, and what the build made of it."""

GOES_BACK: Final = {"OnFailure": {"Result": "ROLLBACK"}}
"""What makes a stage go back to its last good release when one of its actions fails."""

CHANGE: Final = "https://github.com/#{Source.FullRepositoryName}/commit/#{Source.CommitId}"


class Delivery(BaseResource):
    """Chalice's pipeline with a source by connection, a tested beta, an approval, and production behind it."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        parameters, resources, outputs = template["Parameters"], template["Resources"], template["Outputs"]
        for name in ("GithubRepoSecretId", "GithubRepoSecretJSONKey"):
            del parameters[name]
        parameters["GithubBranch"] = {
            "Type": "String",
            "Default": "main",
            "Description": "The branch that is released.",
        }
        parameters["BetaTestKey"] = {
            "Type": "String",
            "Default": "no",
            "AllowedValues": ["no", "yes"],
            "Description": f"Whether {TEST_KEY} in the parameter store holds an API key to test beta with.",
        }
        template["Conditions"] = {"HasTestKey": {"Fn::Equals": [ref("BetaTestKey"), "yes"]}}
        resources["GithubConnection"] = {
            "Type": "AWS::CodeConnections::Connection",
            "Properties": {"ConnectionName": SERVICE, "ProviderType": "GitHub"},
        }
        pipeline = resources["AppPipeline"]["Properties"]
        pipeline["Name"] = SERVICE
        (build,) = (stage for stage in pipeline["Stages"] if stage["Name"] == "Build")
        build["Actions"][0]["OutputArtifacts"] = [{"Name": PACKAGED}]
        pipeline["ArtifactStore"]["EncryptionKey"] = {"Type": "KMS", "Id": attribute("PipelineKey")}
        pipeline |= {
            "PipelineType": "V2",
            # A newer push overtakes one that waits before a stage.
            "ExecutionMode": "SUPERSEDED",
            "Triggers": [_trigger({"Push": [{"Branches": {"Includes": [ref("GithubBranch")]}}]})],
            "Stages": [
                _source(),
                build,
                _stage("BetaData", _build("Data", "Build", data_release("beta"))),
                _stage("Beta", *_deploys_app("beta", ALL_AT_ONCE), _test("Beta", with_key=True)) | GOES_BACK,
                _stage("Approve", _approval()),
                _stage("ProdData", _build("Data", "Build", data_release("prod"))),
                _stage("Prod", *_deploys_app("prod", CANARY), _test("Prod", with_key=False)) | GOES_BACK,
            ],
        }
        page = "https://${AWS::Region}.console.aws.amazon.com/codesuite/codepipeline/pipelines/${AppPipeline}/view"
        outputs["PipelineURL"] = {"Value": sub(page)}
        outputs["ConnectionArn"] = {"Value": ref("GithubConnection")}
        outputs["NoticeTopicArn"] = {"Value": ref("NoticeTopic")}


class PullRequests(BaseResource):
    """Tests and packages what a pull request brings; its roles reach no stage, no secret and no release's artifact."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        into_main = {"Events": ["OPEN", "UPDATED"], "Branches": {"Includes": [ref("GithubBranch")]}}
        template["Resources"]["PullRequestPipeline"] = {
            "Type": "AWS::CodePipeline::Pipeline",
            "Properties": {
                "Name": f"{SERVICE}-pull-requests",
                "PipelineType": "V2",
                "ExecutionMode": "QUEUED",
                "RoleArn": attribute("PullRequestPipelineRole"),
                "ArtifactStore": {"Type": "S3", "Location": ref("PullRequestBucket")},
                "Triggers": [_trigger({"PullRequest": [into_main]})],
                "Stages": [_source(), {"Name": "Check", "Actions": [_build("Check", "Build", "PullRequestBuild")]}],
            },
        }


def _trigger(events: Part) -> Part:
    return {"ProviderType": "CodeStarSourceConnection", "GitConfiguration": {"SourceActionName": "Source", **events}}


def _source() -> Part:
    configuration = {
        "ConnectionArn": ref("GithubConnection"),
        "FullRepositoryId": sub("${GithubOwner}/${GithubRepoName}"),
        "BranchName": ref("GithubBranch"),
        # The files without Git: so no build needs to reach the connection, and with it the repository.
        "OutputArtifactFormat": "CODE_ZIP",
        "DetectChanges": "false",
    }
    action = _action("Source", "Source", "CodeStarSourceConnection", configuration, namespace="Source")
    return {"Name": "Source", "Actions": [action | {"OutputArtifacts": [{"Name": SOURCE}]}]}


def _stage(name: str, *actions: Part) -> Part:
    """A stage whose actions come one after the other."""
    return {"Name": name, "Actions": [action | {"RunOrder": order} for order, action in enumerate(actions, start=1)]}


def _deploys_app(stage: str, deployment: str) -> Sequence[Part]:
    app = {
        "DeploymentType": deployment,
        "AlarmTopicArn": "${NoticeTopic}",
        "PermissionsBoundary": f"${{{boundary(stage)}}}",
        "RunbookUrl": "https://github.com/${GithubOwner}/${GithubRepoName}/blob/${GithubBranch}/docs/runbook.md",
    }
    return _change_set("App", f"{SERVICE}-{stage}", f"{stage}.json", app_role(stage), app, namespace=stage.title())


def _change_set(
    what: str, stack: str, template: str, role: str, parameters: Mapping[str, str], namespace: str | None = None
) -> Sequence[Part]:
    text = json.dumps(parameters)
    change = {"StackName": stack, "ChangeSetName": f"{SERVICE}-release"}
    create = change | {
        "ActionMode": "CHANGE_SET_REPLACE",
        "Capabilities": "CAPABILITY_IAM",
        "RoleArn": attribute(role),
        "TemplatePath": f"{PACKAGED}::{template}",
        "ParameterOverrides": sub(text) if "${" in text else text,
    }
    execute = change | {"ActionMode": "CHANGE_SET_EXECUTE"}
    return [
        _action(f"{what}Changes", "Deploy", "CloudFormation", create) | {"InputArtifacts": [{"Name": PACKAGED}]},
        _action(what, "Deploy", "CloudFormation", execute, namespace=namespace),
    ]


def _test(stage: str, *, with_key: bool) -> Part:
    """Whether what was deployed works, seen from outside."""
    address = {"name": "API_URL", "value": f"#{{{stage}.EndpointURL}}", "type": "PLAINTEXT"}
    key = {"name": "KEY", "value": TEST_KEY, "type": "PARAMETER_STORE"}
    variables: object = json.dumps([address])
    if with_key:
        variables = {"Fn::If": ["HasTestKey", json.dumps([address, key]), variables]}
    return _build("Test", "Test", "ReleaseTest", EnvironmentVariables=variables)


def _build(name: str, category: str, project: str, **configuration: object) -> Part:
    action = _action(name, category, "CodeBuild", {"ProjectName": ref(project), **configuration})
    return action | {"InputArtifacts": [{"Name": SOURCE}]}


def _approval() -> Part:
    # Not the commit's message: there is room for 1,000 characters, and a longer one would fail the stage.
    asked = "Release #{Source.CommitId} to production? It runs in beta: #{Beta.EndpointURL}"
    configuration = {"NotificationArn": ref("NoticeTopic"), "ExternalEntityLink": CHANGE, "CustomData": asked}
    return _action("Approve", "Approval", "Manual", configuration)


def _action(name: str, category: str, provider: str, configuration: Part, namespace: str | None = None) -> Part:
    kind = {"Category": category, "Owner": "AWS", "Version": "1", "Provider": provider}
    action = {"Name": name, "RunOrder": 1, "ActionTypeId": kind, "Configuration": configuration}
    return action | ({"Namespace": namespace} if namespace else {})
