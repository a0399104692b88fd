"""The CodeBuild projects: what builds a release, what deploys data stacks, what tests a release and pull requests."""

from collections.abc import Mapping
from typing import Any, Final

from chalice.pipeline import BaseResource, PipelineParameters

from tools.generate.pipeline.language import SERVICE, STAGES, Part, attribute, ref, unchecked

LOGS_KEPT_DAYS: Final = 90
MINUTES: Final = {"build": 60, "data": 60, "test": 15, "pull-requests": 60}
"""How long each kind of build may take; its log is kept by kind."""
BUILD_SPEC: Final = "buildspec.yml"
DATA_SPEC: Final = "buildspec.data.yml"
TEST_SPEC: Final = "buildspec.test.yml"


class Builds(BaseResource):
    """The project that Chalice has, with the repository's own spec, and others beside it."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        resources = template["Resources"]
        bucket = {"APP_S3_BUCKET": ref("ApplicationBucket")}
        # Four processors: the tests are most of what a release waits for.
        resources["AppPackageBuild"] = _project("build", "CodeBuildRole", BUILD_SPEC, "BUILD_GENERAL1_MEDIUM", bucket)
        resources["ReleaseTest"] = _project("test", "TestRole", TEST_SPEC, "BUILD_GENERAL1_SMALL", {})
        for stage in STAGES:
            # Apart, each with a role of its own: what runs is the repository's, and prod's waits for the approval.
            variables = {"STAGE": stage, "DATA_ROLE_ARN": attribute(f"Deploy{stage.title()}DataRole")}
            release = _project("data", data_release_role(stage), DATA_SPEC, "BUILD_GENERAL1_SMALL", variables)
            release["Properties"]["Name"] = f"{project_name('data')}-{stage}"
            resources[data_release(stage)] = release
        # Without a bucket the same spec packages for nobody.
        pull_requests = _project("pull-requests", "PullRequestRole", BUILD_SPEC, "BUILD_GENERAL1_MEDIUM", {})
        del pull_requests["Properties"]["EncryptionKey"]
        resources["PullRequestBuild"] = pull_requests
        for project in MINUTES:
            logs: Part = {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "Delete",
                "UpdateReplacePolicy": "Delete",
                "Properties": {"LogGroupName": log_group(project), "RetentionInDays": LOGS_KEPT_DAYS},
            }
            name = project.title().replace("-", "") + "Logs"
            resources[name] = unchecked(logs, CKV_AWS_158="CloudWatch encrypts it; a build is told no secret to log.")


def data_release(stage: str) -> str:
    return f"{stage.title()}DataRelease"


def data_release_role(stage: str) -> str:
    return f"{stage.title()}DataReleaseRole"


def project_name(project: str) -> str:
    return f"{SERVICE}-{project}"


def log_group(project: str) -> str:
    return f"/aws/codebuild/{project_name(project)}"


def _project(name: str, role: str, spec: str, size: str, variables: Mapping[str, object]) -> Part:
    return {
        "Type": "AWS::CodeBuild::Project",
        "Properties": {
            "Name": project_name(name),
            "ServiceRole": attribute(role),
            "EncryptionKey": attribute("PipelineKey"),
            "TimeoutInMinutes": MINUTES[name],
            "Artifacts": {"Type": "CODEPIPELINE"},
            "Source": {"Type": "CODEPIPELINE", "BuildSpec": spec},
            "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": log_group(name)}},
            "Environment": {
                "ComputeType": size,
                "Type": "LINUX_CONTAINER",
                "Image": ref("CodeBuildImage"),
                "EnvironmentVariables": [{"Name": key, "Value": value} for key, value in variables.items()],
            },
        },
    }
