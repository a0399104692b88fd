"""Who may do what: one role for each pipeline, each build project and each stack that CloudFormation deploys.

CloudFormation's roles reach the names of their stage only, and make no role without the stage's boundary, which they
cannot change: the most that a function of the stage may ever do. What holds data they cannot delete.
"""

from typing import Any, Final

from chalice.pipeline import BaseResource, PipelineParameters

from tools.generate.pipeline.builds import data_release, data_release_role, log_group
from tools.generate.pipeline.language import SERVICE, STAGES, Part, allow, arn, attribute, deny, policy, ref, role, sub

TEST_KEY: Final = f"/{SERVICE}/beta/test-key"
"""The name in the parameter store of the API key with which a deployed beta is tested."""

USE_KEY: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")


class Roles(BaseResource):
    """Instead of Chalice's, of which one may do everything."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        resources, outputs = template["Resources"], template["Outputs"]
        for name in ("CodeBuildPolicy", "CFNDeployRole"):
            del resources[name]
        for name in ("CodeBuildRoleArn", "CodePipelineRoleArn", "CFNDeployRoleArn"):
            del outputs[name]
        for stage in STAGES:
            resources[boundary(stage)] = _boundary(stage)
            resources[data_role(stage)] = _deploys_data(stage)
            resources[app_role(stage)] = _deploys_app(stage)
            stack = arn("cloudformation", f"stack/{SERVICE}-data-{stage}/*")
            resources[data_release_role(stage)] = role(
                "codebuild",
                _logs("data"),
                _artifacts("ArtifactBucketStore", "s3:GetObject", "s3:GetObjectVersion"),
                allow(["kms:Decrypt", "kms:DescribeKey"], attribute("PipelineKey")),
                *hands_over([stack], [attribute(data_role(stage))]),
                waits_for_indexes(arn("dynamodb", f"table/{SERVICE}-{stage}")),
            )
        resources["CodePipelineRole"] = _runs_the_pipeline()
        resources["CodeBuildRole"] = role(
            "codebuild",
            _logs("build"),
            _artifacts("ArtifactBucketStore", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"),
            # It looks at what it finds there under the name that it would give.
            allow(["s3:GetObject", "s3:PutObject"], sub("${ApplicationBucket.Arn}/code/*")),
            allow(USE_KEY, attribute("PipelineKey")),
        )
        resources["TestRole"] = role(
            "codebuild",
            _logs("test"),
            _artifacts("ArtifactBucketStore", "s3:GetObject", "s3:GetObjectVersion"),
            allow(["kms:Decrypt", "kms:DescribeKey"], attribute("PipelineKey")),
            allow("ssm:GetParameters", arn("ssm", f"parameter{TEST_KEY}")),
        )
        resources["PullRequestRole"] = role(
            "codebuild", _logs("pull-requests"), _artifacts("PullRequestBucket", "s3:GetObject", "s3:GetObjectVersion")
        )
        resources["PullRequestPipelineRole"] = role(
            "codepipeline", _moves_artifacts("PullRequestBucket"), _builds("PullRequestBuild"), _reads_the_repository()
        )


def boundary(stage: str) -> str:
    return f"{stage.title()}Boundary"


def data_role(stage: str) -> str:
    return f"Deploy{stage.title()}DataRole"


def app_role(stage: str) -> str:
    return f"Deploy{stage.title()}AppRole"


# The pipelines and their builds


def _runs_the_pipeline() -> Part:
    stacks = [arn("cloudformation", f"stack/{SERVICE}-{stage}/*") for stage in STAGES]
    change_sets = ("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DescribeStacks")
    deployers = [attribute(app_role(stage)) for stage in STAGES]
    return role(
        "codepipeline",
        _moves_artifacts("ArtifactBucketStore"),
        allow(USE_KEY, attribute("PipelineKey")),
        _reads_the_repository(),
        _builds("AppPackageBuild", "ReleaseTest", *map(data_release, STAGES)),
        allow([f"cloudformation:{action}" for action in change_sets], stacks),
        allow("iam:PassRole", deployers, _passed_to("cloudformation")),
        # Asks for the approval.
        allow("sns:Publish", ref("NoticeTopic")),
    )


def hands_over(stacks: list[Part], roles: list[Part]) -> list[Part]:
    """May hand a template of these stacks to CloudFormation, with these roles, and look how it fares."""
    watch = ("DeleteChangeSet", "DescribeChangeSet", "DescribeStackEvents", "DescribeStacks", "GetTemplate")
    return [
        # Without a role CloudFormation would use the caller's rights; it must not be left out.
        allow("cloudformation:CreateChangeSet", stacks, {"ArnEquals": {"cloudformation:RoleArn": roles}}),
        allow([f"cloudformation:{action}" for action in (*watch, "ExecuteChangeSet")], stacks),
        allow("iam:PassRole", roles, _passed_to("cloudformation")),
    ]


def waits_for_indexes(table: Part) -> Part:
    """CloudFormation does not wait for them, and the next one cannot be made before."""
    return allow("dynamodb:DescribeTable", table)


def _moves_artifacts(bucket: str) -> Part:
    return _artifacts(bucket, "s3:GetBucketVersioning", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject")


def _artifacts(bucket: str, *actions: str) -> Part:
    """Services look whose bucket it is, and where, before they use it."""
    everybodys = ("s3:GetBucketAcl", "s3:GetBucketLocation")
    return allow([*everybodys, *actions], [attribute(bucket), sub(f"${{{bucket}.Arn}}/*")])


def _reads_the_repository() -> Part:
    """Both names: the service was renamed, and asks for one or the other."""
    return allow(
        ["codeconnections:UseConnection", "codestar-connections:UseConnection"],
        ref("GithubConnection"),
        # Of the one repository, to read it.
        {
            "ForAllValues:StringEquals": {
                "codeconnections:FullRepositoryId": sub("${GithubOwner}/${GithubRepoName}"),
                "codestar-connections:FullRepositoryId": sub("${GithubOwner}/${GithubRepoName}"),
            }
        },
    )


def _builds(*projects: str) -> Part:
    return allow(["codebuild:StartBuild", "codebuild:BatchGetBuilds"], [attribute(project) for project in projects])


def _logs(project: str) -> Part:
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", f"log-group:{log_group(project)}:*"))


# CloudFormation, stage by stage


def _deploys_data(stage: str) -> Part:
    """Nothing of what holds data can be deleted with it: by no pipeline, by no template."""
    return role(
        "cloudformation",
        allow(
            [
                "dynamodb:CreateTable",
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeContributorInsights",
                "dynamodb:DescribeKinesisStreamingDestination",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:GetResourcePolicy",
                "dynamodb:ListTagsOfResource",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            arn("dynamodb", f"table/{SERVICE}-{stage}"),
        ),
        allow(
            [
                "sqs:CreateQueue",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ListQueueTags",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ],
            [arn("sqs", f"{SERVICE}-{stage}"), arn("sqs", f"{SERVICE}-{stage}-dead")],
        ),
    )


def _deploys_app(stage: str) -> Part:
    own = f"{SERVICE}-{stage}-*"
    functions = _names("lambda", "function:", stage)
    return role(
        "cloudformation",
        # SAM's short forms are written out by AWS's own transform.
        allow(
            "cloudformation:CreateChangeSet", arn("cloudformation", "transform/Serverless-2016-10-31", account="aws")
        ),
        allow("s3:GetObject", sub("${ApplicationBucket.Arn}/code/*")),
        allow("kms:Decrypt", attribute("PipelineKey")),
        allow(
            [
                "lambda:AddPermission",
                "lambda:CreateAlias",
                "lambda:CreateFunction",
                "lambda:DeleteAlias",
                "lambda:DeleteFunction",
                "lambda:DeleteFunctionConcurrency",
                "lambda:GetAlias",
                "lambda:GetFunction",
                "lambda:GetFunctionCodeSigningConfig",
                "lambda:GetFunctionConfiguration",
                "lambda:GetFunctionRecursionConfig",
                "lambda:GetFunctionScalingConfig",
                "lambda:GetPolicy",
                "lambda:GetProvisionedConcurrencyConfig",
                "lambda:GetRuntimeManagementConfig",
                "lambda:ListTags",
                "lambda:ListVersionsByFunction",
                "lambda:PublishVersion",
                "lambda:PutFunctionConcurrency",
                "lambda:PutRuntimeManagementConfig",
                "lambda:RemovePermission",
                "lambda:TagResource",
                "lambda:UntagResource",
                "lambda:UpdateAlias",
                "lambda:UpdateFunctionCode",
                "lambda:UpdateFunctionConfiguration",
            ],
            functions,
        ),
        # What reads the queue has an id that nobody chooses; it is known by its function.
        allow(
            [
                "lambda:CreateEventSourceMapping",
                "lambda:DeleteEventSourceMapping",
                "lambda:UpdateEventSourceMapping",
            ],
            "*",
            {"ArnLike": {"lambda:FunctionArn": functions}},
        ),
        allow(
            ["lambda:GetEventSourceMapping", "lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"],
            arn("lambda", "event-source-mapping:*"),
        ),
        *_makes_apis(stage),
        *_makes_roles(stage, own),
        allow(
            [
                "codedeploy:CreateApplication",
                "codedeploy:CreateDeployment",
                "codedeploy:CreateDeploymentGroup",
                "codedeploy:DeleteApplication",
                "codedeploy:DeleteDeploymentGroup",
                "codedeploy:GetApplication",
                "codedeploy:GetApplicationRevision",
                "codedeploy:GetDeployment",
                "codedeploy:GetDeploymentGroup",
                "codedeploy:ListDeployments",
                "codedeploy:ListTagsForResource",
                "codedeploy:RegisterApplicationRevision",
                "codedeploy:StopDeployment",
                "codedeploy:TagResource",
                "codedeploy:UntagResource",
                "codedeploy:UpdateDeploymentGroup",
            ],
            [arn("codedeploy", f"application:{own}"), arn("codedeploy", f"deploymentgroup:{own}")],
        ),
        allow("codedeploy:GetDeploymentConfig", arn("codedeploy", "deploymentconfig:CodeDeployDefault.Lambda*")),
        _alarms(stage),
        allow(
            [
                "cloudwatch:DeleteDashboards",
                "cloudwatch:GetDashboard",
                "cloudwatch:ListTagsForResource",
                "cloudwatch:PutDashboard",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
            ],
            [arn("cloudwatch", f"dashboard/{name}", region="") for name in (f"{SERVICE}-{stage}", own)],
        ),
        _makes_log_groups(stage),
        # What lists asks for no name.
        allow(["logs:DescribeLogGroups", "logs:DescribeResourcePolicies"], "*"),
    )


def _names(service: str, prefix: str, stage: str) -> list[Part]:
    """What is named for the stage, with its versions, aliases or streams, and what is named for it and more."""
    own = f"{prefix}{SERVICE}-{stage}"
    return [arn(service, name) for name in (own, f"{own}:*", f"{own}-*")]


def _alarms(stage: str) -> Part:
    actions = (
        "DeleteAlarms",
        "DescribeAlarms",
        "ListTagsForResource",
        "PutMetricAlarm",
        "TagResource",
        "UntagResource",
    )
    return allow([f"cloudwatch:{action}" for action in actions], arn("cloudwatch", f"alarm:{SERVICE}-{stage}-*"))


def _makes_apis(stage: str) -> list[Part]:
    """An API too has an id that nobody chooses; but CloudFormation's tag on it says which stack made it, and what is in
    an API inherits its tags. An API without the tag is not there yet, or was made without CloudFormation.
    """
    verbs = [f"apigateway:{verb}" for verb in ("DELETE", "GET", "PATCH", "POST", "PUT")]
    collection, *inside = (arn("apigateway", f"/{path}", account="") for path in ("restapis", "restapis/*", "tags/*"))
    maker = "aws:ResourceTag/aws:cloudformation:stack-id"
    own = arn("cloudformation", f"stack/{SERVICE}-{stage}/*")
    another_stacks = {"Null": {maker: "false"}, "StringNotLike": {maker: own}}
    return [allow(verbs, [collection, *inside]), deny("apigateway:*", inside, another_stacks)]


def _makes_log_groups(stage: str) -> Part:
    actions = (
        "CreateLogGroup",
        "DeleteLogGroup",
        "DeleteRetentionPolicy",
        "DescribeIndexPolicies",
        "GetDataProtectionPolicy",
        "ListTagsForResource",
        "PutRetentionPolicy",
        "TagResource",
        "UntagResource",
    )
    functions = _names("logs", "log-group:/aws/lambda/", stage)
    access = [arn("logs", f"log-group:/aws/apigateway/{SERVICE}-{stage}{end}") for end in ("", ":*")]
    return allow([f"logs:{action}" for action in actions], [*functions, *access])


def _makes_roles(stage: str, own: str) -> list[Part]:
    """The functions' roles: only of the stage's names, only within its boundary, only for Lambda and CodeDeploy."""
    roles = arn("iam", f"role/{own}", region="")
    return [
        allow(
            ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
            roles,
            {"ArnEquals": {"iam:PermissionsBoundary": ref(boundary(stage))}},
        ),
        allow(
            [
                "iam:DeleteRole",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
                "iam:TagRole",
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
                "iam:UpdateRoleDescription",
            ],
            roles,
        ),
        allow("iam:PassRole", roles, _passed_to("lambda", "codedeploy")),
    ]


def _passed_to(*services: str) -> Part:
    return {"StringEquals": {"iam:PassedToService": [f"{service}.amazonaws.com" for service in services]}}


def _boundary(stage: str) -> Part:
    """The most that a role of the stage may do, whatever its policies say; the policies themselves are narrower."""
    own = f"{SERVICE}-{stage}"
    table, items = arn("dynamodb", f"table/{own}"), ("Get", "Put", "Update", "Delete", "ConditionCheck")
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": f"The most that a role of {own} may do",
            "PolicyDocument": policy(
                allow(
                    [*(f"dynamodb:{verb}Item" for verb in items), "dynamodb:Query"],
                    [table, arn("dynamodb", f"table/{own}/index/*")],
                ),
                allow(
                    [
                        "sqs:DeleteMessage",
                        "sqs:GetQueueAttributes",
                        "sqs:GetQueueUrl",
                        "sqs:ReceiveMessage",
                        "sqs:SendMessage",
                    ],
                    arn("sqs", own),
                ),
                allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    _names("logs", "log-group:/aws/lambda/", stage),
                ),
                # Traces have no names to be limited to.
                allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
                # CodeDeploy moves the alias, and stops when an alarm fires or cannot be asked.
                allow(
                    ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"],
                    _names("lambda", "function:", stage),
                ),
                allow("cloudwatch:DescribeAlarms", "*"),
            ),
        },
    }
