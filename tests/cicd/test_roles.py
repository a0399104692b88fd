"""The roles of the pipeline: enough for what they are for, and nothing beyond.

What CloudFormation needs is what its handlers ask for (the schemas of the resource types), for every type that is in
the templates now; who decides is the emulator's IAM evaluator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.cicd import stacks
from tests.cicd.handlers import permissions
from tests.cicd.iam import Question, allowed, decided, documents, granted, listed, statements
from tests.cicd.physical import ACCOUNT, ARNS, PARTITION, REGION, Stack
from tests.cicd.stacks import FURTHER, app_role, boundary, console_role, data_release_role, data_role, pipeline
from tools.generate.templates import STAGES

KINDS: Final = ("data", "app", "console")

NOT_NEEDED: Final = {
    "apigateway:UpdateRestApiPolicy": "the API has no resource policy",
    "cloudfront:CreateConnectionGroup": "no tenants",
    "cloudfront:CreateDistributionWithTags": "no action that IAM knows",
    "cloudfront:GetConnectionGroup": "no tenants",
    "cloudfront:GetVpcOrigin": "no origin inside of a network",
    "cloudfront:UpdateDistributionWithStagingConfig": "no second distribution to try things on",
    "cloudfront:updateDistribution": "the hosted page has a name of Cognito's",
    "cognito-idp:AddCustomAttributes": "no attributes of our own",
    "cognito-idp:ListUserPoolClientSecrets": "a public client has none",
    "cognito-idp:UpdateUserPoolDomain": "the hosted page has a name of Cognito's",
    "dynamodb:AssociateTableReplica": "no replicas",
    "dynamodb:BatchWriteItem": "no replicas",
    "dynamodb:CreateTableReplica": "no replicas",
    "dynamodb:DeleteItem": "no replicas",
    "dynamodb:DeleteResourcePolicy": "no resource policy",
    "dynamodb:DescribeImport": "nothing is imported",
    "dynamodb:DisableKinesisStreamingDestination": "no stream to Kinesis",
    "dynamodb:EnableKinesisStreamingDestination": "no stream to Kinesis",
    "dynamodb:GetItem": "no replicas",
    "dynamodb:ImportTable": "nothing is imported",
    "dynamodb:PutItem": "no replicas",
    "dynamodb:PutResourcePolicy": "no resource policy",
    "dynamodb:Query": "no replicas",
    "dynamodb:Scan": "no replicas",
    "dynamodb:UpdateContributorInsights": "no contributor insights",
    "dynamodb:UpdateItem": "no replicas",
    "dynamodb:UpdateKinesisStreamingDestination": "no stream to Kinesis",
    "ec2:": "functions in no VPC",
    "elasticfilesystem:": "functions without a file system",
    "firehose:": "logs go nowhere else",
    "iam:AttachRolePolicy": "roles have policies of their own only, whoever attaches one could attach any",
    "iam:CreateServiceLinkedRole": "no replicas",
    "iam:DeleteRolePermissionsBoundary": "the boundary stays",
    "iam:DetachRolePolicy": "none is attached",
    "kinesis:": "no stream to Kinesis",
    "kms:": "AWS's own keys, which everybody in the account may use; the code's is below",
    "lambda:AssociateRuntimeAlias": "the runtime is updated by AWS",
    "lambda:DeleteFunctionCodeSigningConfig": "the code is not signed",
    "lambda:DeleteProvisionedConcurrencyConfig": "no provisioned concurrency",
    "lambda:GetCodeSigningConfig": "the code is not signed",
    "lambda:GetLayerVersion": "no layers",
    "lambda:PassCapacityProvider": "no instances of our own",
    "lambda:PutFunctionCodeSigningConfig": "the code is not signed",
    "lambda:PutFunctionRecursionConfig": "the default is right",
    "lambda:PutFunctionScalingConfig": "no instances of our own",
    "lambda:PutProvisionedConcurrencyConfig": "no provisioned concurrency",
    "logs:AssociateKmsKey": "AWS's own key",
    "logs:CreateLogDelivery": "logs go nowhere else",
    "logs:CreateLogStream": "no import, no such logs",
    "logs:DeleteDataProtectionPolicy": "no data protection policy: nothing personal is logged",
    "logs:DeleteIndexPolicy": "no index policy",
    "logs:DeleteResourcePolicy": "no resource policy",
    "logs:DescribeLogStreams": "no import, no such logs",
    "logs:DisassociateKmsKey": "AWS's own key",
    "logs:PutBearerTokenAuthentication": "nobody writes logs with a token",
    "logs:PutDataProtectionPolicy": "no data protection policy: nothing personal is logged",
    "logs:PutIndexPolicy": "no index policy",
    "logs:PutLogEvents": "no import, no such logs",
    "logs:PutLogGroupDeletionProtection": "logs may be deleted",
    "logs:PutResourcePolicy": "no resource policy",
    "s3:GetObjectMetadata": "nothing is imported",
    "s3:GetObjectVersion": "the code's name changes with its content",
    "s3:REST.PUT.OBJECT": "logs go nowhere else",
    **dict.fromkeys(
        [
            "s3:CreateBucketMetadataTableConfiguration",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketCors",
            "s3:DeleteBucketEncryption",
            "s3:DeleteBucketLifecycle",
            "s3:DeleteBucketMetadataTableConfiguration",
            "s3:DeleteBucketMetricsConfiguration",
            "s3:DeleteBucketReplication",
            "s3:DeleteBucketWebsite",
            "s3:DeleteObject",
            "s3:GetBucketAcl",
            "s3:PutAccelerateConfiguration",
            "s3:PutAnalyticsConfiguration",
            "s3:PutBucketAbac",
            "s3:PutBucketAcl",
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketReplication",
            "s3:PutBucketVersioning",
            "s3:PutBucketWebsite",
            "s3:PutIntelligentTieringConfiguration",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:PutObjectAcl",
            "s3:PutObjectLockConfiguration",
            "s3:PutReplicationConfiguration",
            "s3:UpdateBucketMetadataAnnotationTableConfiguration",
            "s3:UpdateBucketMetadataInventoryTableConfiguration",
            "s3:UpdateBucketMetadataJournalTableConfiguration",
        ],
        "the bucket of sheets has none of it: no versions, no copies, no web site, no lists of its objects",
    ),
    "s3tables:": "no tables of a bucket's metadata",
    "s3files:": "functions without a file system",
    "codedeploy:RegisterOnPremisesInstance": "functions, not instances",
}
"""What handlers ask for only when a template says something that ours do not say."""

UNLIKE_SHEETS: Final = {"s3:PutBucketVersioning": True, "s3:PutBucketCORS": False, "s3:PutBucketNotification": False}
"""What the console's bucket needs or does not, other than that of sheets."""

ONLY_OF_DATA: Final = ("logs:", "s3:")
"""Asked for by the handler of a table only for imports."""

BEYOND_HANDLERS: Final = {
    "cloudformation:CreateChangeSet": "AWS's transform writes out SAM's short forms",
    "kms:Decrypt": "the code's bucket is encrypted with the pipeline's key",
}
"""What deploying needs and no handler asks for."""

MAKER: Final = "aws:ResourceTag/aws:cloudformation:stack-id"
"""CloudFormation's own tag, which nobody can change, on everything that can have tags and on what is in an API."""

WITHOUT_A_NAME: Final = {
    "cloudfront:CreateDistribution": "*",
    "cloudfront:CreateOriginAccessControl": "*",
    "cloudfront:CreateResponseHeadersPolicy": "*",
    "cognito-idp:CreateUserPool": "*",
    "cognito-idp:DescribeUserPoolDomain": "*",
    "codedeploy:StopDeployment": "*",
    "lambda:CreateEventSourceMapping": "*",
    "logs:DescribeIndexPolicies": "*",
    "logs:DescribeLogGroups": "*",
    "logs:DescribeResourcePolicies": "*",
    "codedeploy:GetDeploymentConfig": f"arn:{PARTITION}:codedeploy:{REGION}:{ACCOUNT}"
    ":deploymentconfig:CodeDeployDefault.LambdaCanary10Percent5Minutes",
}
"""What is asked for of something other than the resource itself."""


def overrides(stack: str) -> dict[str, str]:
    """The parameters that the pipeline gives to a stack."""
    for stage in pipeline().properties("AppPipeline")["Stages"]:
        for action in stage["Actions"]:
            configuration = action["Configuration"]
            if configuration.get("StackName") == stack and "ParameterOverrides" in configuration:
                given: dict[str, str] = json.loads(configuration["ParameterOverrides"])
                return given
    raise AssertionError(f"the pipeline deploys no stack {stack}")


def deployed(packaged: Path, stage: str, kind: str) -> tuple[str, Stack]:
    """A stack as the pipeline deploys it, and the role with which it does."""
    if kind == "data":
        return data_role(stage), stacks.data(packaged, stage)
    if kind == "console":
        return console_role(stage), stacks.console(stage)
    return app_role(stage), stacks.app(packaged, stage, **overrides(f"visits-{stage}"))


def not_needed(action: str, stack: Stack) -> bool:
    if "Distribution" in stack.resources and action in UNLIKE_SHEETS:
        return not UNLIKE_SHEETS[action]
    return action in NOT_NEEDED or f"{action.split(':')[0]}:" in NOT_NEEDED


def asked(role: str, stack: Stack) -> Iterator[Question]:
    """What the handlers of every resource of the stack ask for, but for what our templates never make them ask."""
    for name, resource in stack.resources.items():
        # What is retained is never deleted.
        retained = resource.get("DeletionPolicy") == resource.get("UpdateReplacePolicy") == "Retain"
        handlers = ("create", "read", "update") if retained else ("create", "read", "update", "delete")
        for action in sorted(permissions(resource["Type"], handlers)):
            if not not_needed(action, stack) and not (
                resource["Type"] == "AWS::DynamoDB::Table" and _of_imports(action)
            ):
                yield from questions(role, stack, name, action)


def _of_imports(action: str) -> bool:
    return action.startswith(ONLY_OF_DATA)


def questions(role: str, stack: Stack, name: str, action: str) -> Iterator[Question]:
    kind, properties = stack.resources[name]["Type"], stack.properties(name)
    own = stack.arn(name) if kind in ARNS else "*"
    if kind.startswith("AWS::Cognito::") and action.startswith("iam:"):
        return  # for groups with a role, and for messages by SMS
    if action == "iam:PassRole":
        passed = {"AWS::Lambda::Function": "Role", "AWS::CodeDeploy::DeploymentGroup": "ServiceRoleArn"}
        if kind in passed:
            service = f"{kind.split('::')[1].lower()}.amazonaws.com"
            yield Question(role, action, properties[passed[kind]], {"iam:PassedToService": service})
    elif action == "s3:GetObject":
        if kind == "AWS::Lambda::Function":
            yield Question(role, action, f"{pipeline().arn('ApplicationBucket')}/code/0123456789abcdef.zip")
    elif kind == "AWS::SQS::QueuePolicy":
        for queue in (each for each, resource in stack.resources.items() if resource["Type"] == "AWS::SQS::Queue"):
            yield Question(role, action, stack.arn(queue))
    elif kind == "AWS::S3::BucketPolicy":
        yield from (Question(role, action, stack.arn(bucket)) for bucket in buckets_of(stack))
    elif kind == "AWS::Cognito::UserPoolClient":
        yield Question(
            role, action, own, {MAKER: there("cloudformation", f"stack/{stack.name.replace('console', 'data')}/0123")}
        )
    elif action.startswith(("cloudfront:", "cognito-idp:")):
        made = there("cloudformation", f"stack/{stack.name}/0123")
        yield Question(role, action, WITHOUT_A_NAME.get(action, own), {MAKER: made})
    elif action.startswith("apigateway:"):
        yield Question(role, action, own, {MAKER: there("cloudformation", f"stack/{stack.name}/0123")})
    elif kind == "AWS::IAM::Policy":
        # It names roles only, hence the handler asks for neither users nor groups.
        for named in (each["Ref"] for each in stack.resources[name]["Properties"]["Roles"] if "Role" in action):
            bound = {"iam:PermissionsBoundary": stack.properties(named)["PermissionsBoundary"]}
            yield Question(role, action, stack.arn(named), bound)
    elif action.startswith("iam:"):
        yield Question(role, action, own, {"iam:PermissionsBoundary": properties.get("PermissionsBoundary", "")})
    elif kind == "AWS::Lambda::EventSourceMapping":
        function = properties["FunctionName"]
        where = WITHOUT_A_NAME.get(action, own)
        yield Question(role, action, where, {"lambda:FunctionArn": function})
    elif kind == "AWS::CodeDeploy::DeploymentGroup" and "Application" in action:
        application = f"application:{properties['ApplicationName']}"
        yield Question(role, action, f"arn:{PARTITION}:codedeploy:{REGION}:{ACCOUNT}:{application}")
    elif action.startswith("codedeploy:") and kind == "AWS::Lambda::Alias":
        return  # by the groups of the alias, which are asked for themselves
    else:
        yield Question(role, action, WITHOUT_A_NAME.get(action, own))


def buckets_of(stack: Stack) -> list[str]:
    return [name for name, resource in stack.resources.items() if resource["Type"] == "AWS::S3::Bucket"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", STAGES)
def test_what_cloudformation_deploys_its_role_may_deploy(packaged: Path, stage: str, kind: str) -> None:
    role, stack = deployed(packaged, stage, kind)
    answers = allowed(pipeline(), list(asked(role, stack)))
    assert len(answers) > 20
    assert [str(question) for question, yes in answers.items() if not yes] == []


@pytest.mark.parametrize("stage", STAGES)
def test_the_names_of_roles_are_left_to_cloudformation_as_the_pipeline_s_capability_has_it(
    packaged: Path, stage: str
) -> None:
    """CAPABILITY_IAM, which the pipeline gives, is not enough for roles with names of their own."""
    _, stack = deployed(packaged, stage, "app")
    roles = stacks.of_type(stack, "AWS::IAM::Role")
    assert len(roles) > 3
    assert [name for name, properties in roles.items() if "RoleName" in properties] == []


@pytest.mark.parametrize("kind", KINDS)
def test_its_role_may_do_nothing_that_deploying_does_not_need(packaged: Path, kind: str) -> None:
    role, stack = deployed(packaged, "prod", kind)
    needed = {question.action for question in asked(role, stack)} | set(BEYOND_HANDLERS)
    assert sorted(granted(pipeline(), role) - needed) == []


def test_what_is_said_not_to_be_needed_is_asked_for_and_granted_to_nobody(packaged: Path) -> None:
    kinds = {resource["Type"] for kind in KINDS for resource in deployed(packaged, "prod", kind)[1].resources.values()}
    asked_for = {action for kind in kinds for action in permissions(kind)}
    roles = [name(stage) for stage in STAGES for name in (data_role, app_role)]
    given = {action for role in roles for action in granted(pipeline(), role)} - set(BEYOND_HANDLERS)
    for each in NOT_NEEDED:
        assert any(action.startswith(each) for action in asked_for), f"no handler asks for {each} any more"
        assert not any(action.startswith(each) for action in given), f"{each} is granted after all"


def there(service: str, rest: str, region: str = REGION) -> str:
    return f"arn:{PARTITION}:{service}:{region}:{ACCOUNT}:{rest}"


API: Final = f"arn:{PARTITION}:apigateway:{REGION}::/restapis/a1b2c3"


def stage_role(stage: str) -> str:
    return there("iam", f"role/visits-{stage}-ApiHandlerRole-1A2B3C", region="")


def escapes(stage: str) -> Iterator[Question]:
    """What whoever can change the templates, and so act as CloudFormation's roles, might try."""
    app, data, other = app_role(stage), data_role(stage), "beta" if stage == "prod" else "prod"
    bounded = {"iam:PermissionsBoundary": pipeline().arn(boundary(stage))}
    own, foreign = stage_role(stage), there("iam", "role/administrator", region="")
    # a role without the boundary, with the other stage's, or that of somebody else
    yield Question(app, "iam:CreateRole", own)
    yield Question(app, "iam:CreateRole", own, {"iam:PermissionsBoundary": pipeline().arn(boundary(other))})
    yield Question(app, "iam:CreateRole", foreign, bounded)
    yield Question(app, "iam:PutRolePolicy", own)
    yield Question(app, "iam:PutRolePolicy", foreign, bounded)
    yield Question(app, "iam:PutRolePolicy", stage_role(other), bounded)
    yield Question(app, "iam:AttachRolePolicy", own, bounded)
    # the boundary itself
    yield Question(app, "iam:DeleteRolePermissionsBoundary", own, bounded)
    yield Question(app, "iam:PutRolePermissionsBoundary", own, {"iam:PermissionsBoundary": foreign})
    for action in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy"):
        yield Question(app, f"iam:{action}", pipeline().arn(boundary(stage)))
    # somebody else's role, or one's own to somebody else
    yield Question(app, "iam:PassRole", foreign, {"iam:PassedToService": "lambda.amazonaws.com"})
    yield Question(app, "iam:PassRole", pipeline().arn(app), {"iam:PassedToService": "lambda.amazonaws.com"})
    yield Question(app, "iam:PassRole", own, {"iam:PassedToService": "ec2.amazonaws.com"})
    yield Question(app, "iam:UpdateAssumeRolePolicy", foreign)
    yield Question(app, "iam:UpdateAssumeRolePolicy", pipeline().arn("CodePipelineRole"))
    yield Question(app, "sts:AssumeRole", pipeline().arn(app_role(other)))
    # the pipeline
    yield Question(app, "codepipeline:UpdatePipeline", pipeline().arn("AppPipeline"))
    yield Question(app, "codebuild:UpdateProject", pipeline().arn("AppPackageBuild"))
    yield Question(app, "s3:PutObject", f"{pipeline().arn('ApplicationBucket')}/code/0123.zip")
    yield Question(app, "s3:GetObject", f"{pipeline().arn('ArtifactBucketStore')}/visits/Packaged/0123")
    # the other stage, and what is not ours
    for function in (f"visits-{other}", f"visits-{other}-bearer_key", "payroll"):
        yield Question(app, "lambda:UpdateFunctionCode", there("lambda", f"function:{function}"))
    reading = {"lambda:FunctionArn": there("lambda", f"function:visits-{other}-work_off_queue:live")}
    yield Question(app, "lambda:CreateEventSourceMapping", "*", reading)
    made = {MAKER: there("cloudformation", f"stack/visits-{other}/0123")}
    for path in ("", "/resources/r/methods/GET/integration", "/stages/api"):
        yield Question(app, "apigateway:PATCH", f"{API}{path}", made)
    yield Question(app, "apigateway:DELETE", f"arn:{PARTITION}:apigateway:{REGION}::/tags/of-the-api", made)
    yield Question(app, "cloudwatch:DeleteAlarms", there("cloudwatch", f"alarm:visits-{other}-5xx"))
    yield Question(app, "logs:DeleteLogGroup", there("logs", f"log-group:/aws/lambda/visits-{other}"))
    # people: of the other stage, or deleted with all that is known of them
    console = console_role(stage)
    pool = there("cognito-idp", "userpool/eu-central-1_Ab1")
    others = {MAKER: there("cloudformation", f"stack/visits-data-{other}/0123")}
    yield Question(data, "cognito-idp:UpdateUserPool", pool, others)
    yield Question(console, "cognito-idp:UpdateUserPoolClient", pool, others)
    yield Question(console, "cognito-idp:CreateUserPoolClient", pool)
    for role in (app, data, console):
        yield Question(role, "cognito-idp:DeleteUserPool", pool)
        yield Question(role, "cognito-idp:AdminCreateUser", pool)
    of_other = {MAKER: there("cloudformation", f"stack/visits-console-{other}/0123")}
    yield Question(
        console, "cloudfront:UpdateDistribution", there("cloudfront", "distribution/E1", region=""), of_other
    )
    yield Question(console, "s3:PutBucketPolicy", f"arn:{PARTITION}:s3:::visits-{other}-console-{ACCOUNT}-{REGION}")
    yield Question(console, "s3:PutBucketPolicy", f"arn:{PARTITION}:s3:::visits-{stage}-sheets-{ACCOUNT}-{REGION}")
    # the data: not by the app's role at all, and deleted by none
    for role in (app, data):
        yield Question(role, "dynamodb:DeleteTable", there("dynamodb", f"table/visits-{stage}"))
        yield Question(role, "dynamodb:GetItem", there("dynamodb", f"table/visits-{stage}"))
        yield Question(role, "sqs:DeleteQueue", there("sqs", f"visits-{stage}"))
        yield Question(role, "sqs:ReceiveMessage", there("sqs", f"visits-{stage}"))
        yield Question(role, "dynamodb:UpdateTable", there("dynamodb", f"table/visits-{other}"))
    yield Question(data, "iam:CreateRole", own, bounded)
    yield Question(data, "lambda:UpdateFunctionCode", there("lambda", f"function:visits-{stage}"))


@pytest.mark.parametrize("stage", STAGES)
def test_who_deploys_a_stage_cannot_break_out_of_it(stage: str) -> None:
    answers = allowed(pipeline(), list(escapes(stage)))
    assert [str(question) for question, yes in answers.items() if yes] == []


def functions_policies(stack: Stack) -> Iterator[tuple[str, str]]:
    """Every action that a role of the app has, with an example of what it has it for."""
    for name, resource in stack.resources.items():
        if resource["Type"] == "AWS::IAM::Role":
            for statement in statements(stack, name):
                if statement["Effect"] == "Allow":
                    for action in listed(statement["Action"]):
                        for resource_arn in listed(statement["Resource"]):
                            yield action, example(resource_arn)


def example(pattern: str) -> str:
    if pattern == "*":
        return pattern
    # The bucket of sheets ends in account and Region.
    pattern = pattern.replace("-sheets-*", f"-sheets-{ACCOUNT}-{REGION}")
    arn, partition, service, region, account, rest = pattern.split(":", 5)
    return ":".join(
        [arn, partition, service, region.replace("*", REGION), account.replace("*", ACCOUNT), rest.replace("*", "x")]
    )


@pytest.mark.parametrize("stage", STAGES)
def test_the_boundary_lets_the_functions_do_their_work(packaged: Path, stage: str) -> None:
    _, stack = deployed(packaged, stage, "app")
    work = [Question(boundary(stage), action, resource) for action, resource in functions_policies(stack)]
    answers = allowed(pipeline(), work)
    assert len(answers) > 20
    assert [str(question) for question, yes in answers.items() if not yes] == []


@pytest.mark.parametrize("stage", STAGES)
def test_the_boundary_holds_what_a_policy_of_a_function_could_claim(stage: str) -> None:
    """Whatever policy a template gives to a role, the role stays within its stage."""
    other = "beta" if stage == "prod" else "prod"
    beyond = [
        ("dynamodb:GetItem", there("dynamodb", f"table/visits-{other}")),
        ("dynamodb:DeleteTable", there("dynamodb", f"table/visits-{stage}")),
        ("dynamodb:Scan", there("dynamodb", f"table/visits-{stage}")),
        ("sqs:SendMessage", there("sqs", f"visits-{other}")),
        ("sqs:ReceiveMessage", there("sqs", f"visits-{stage}-dead")),
        ("lambda:UpdateFunctionCode", there("lambda", f"function:visits-{stage}")),
        ("iam:CreateUser", there("iam", "user/me", region="")),
        ("sts:AssumeRole", pipeline().arn(app_role(stage))),
        ("secretsmanager:GetSecretValue", there("secretsmanager", "secret:any")),
        ("ssm:GetParameters", there("ssm", "parameter/visits/beta/test-key")),
        ("s3:GetObject", f"{pipeline().arn('ApplicationBucket')}/code/0123.zip"),
    ]
    answers = allowed(pipeline(), [Question(boundary(stage), *each) for each in beyond])
    assert [str(question) for question, yes in answers.items() if yes] == []


def release() -> Iterator[Question]:
    """What a release asks of the roles that are not CloudFormation's, as the services' guides have it."""
    artifact = f"{pipeline().arn('ArtifactBucketStore')}/visits/SourceRepo/0123"
    code = f"{pipeline().arn('ApplicationBucket')}/code/0123456789abcdef.zip"
    key, connection = pipeline().arn("PipelineKey"), pipeline().arn("GithubConnection")
    repository = {"codeconnections:FullRepositoryId": ["agency/visits"]}
    yield Question("CodePipelineRole", "codeconnections:UseConnection", connection, repository)
    for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"):
        yield Question("CodePipelineRole", action, artifact)
        yield Question("CodeBuildRole", action, artifact)
    for role in ("CodePipelineRole", "CodeBuildRole", "TestRole"):
        for action in ("s3:GetBucketAcl", "s3:GetBucketLocation"):
            yield Question(role, action, pipeline().arn("ArtifactBucketStore"))
    yield Question("CodeBuildRole", "s3:PutObject", code)
    yield Question("TestRole", "s3:GetObject", artifact)
    yield Question("TestRole", "ssm:GetParameters", there("ssm", "parameter/visits/beta/test-key"))
    for role in ("CodePipelineRole", "CodeBuildRole"):
        yield Question(role, "kms:GenerateDataKey", key)
    for role in ("CodePipelineRole", "CodeBuildRole", "TestRole", app_role("beta"), "NoticeMachineRole"):
        yield Question(role, "kms:Decrypt", key)
    for project, role in (("AppPackageBuild", "CodeBuildRole"), ("ReleaseTest", "TestRole")):
        group = pipeline().properties(project)["LogsConfig"]["CloudWatchLogs"]["GroupName"]
        yield Question("CodePipelineRole", "codebuild:StartBuild", pipeline().arn(project))
        yield Question("CodePipelineRole", "codebuild:BatchGetBuilds", pipeline().arn(project))
        yield Question(role, "logs:PutLogEvents", there("logs", f"log-group:{group}:log-stream:0123"))
    for stage in STAGES:
        for actor, stack, role in (
            (data_release_role(stage), f"visits-data-{stage}", data_role(stage)),
            ("CodePipelineRole", f"visits-{stage}", app_role(stage)),
        ):
            where, own = there("cloudformation", f"stack/{stack}/0123"), pipeline().arn(role)
            yield Question(actor, "cloudformation:CreateChangeSet", where, {"cloudformation:RoleArn": own})
            for action in ("DescribeChangeSet", "ExecuteChangeSet", "DescribeStacks"):
                yield Question(actor, f"cloudformation:{action}", where)
            yield Question(actor, "iam:PassRole", own, {"iam:PassedToService": "cloudformation.amazonaws.com"})
        yield Question(data_release_role(stage), "cloudformation:GetTemplate", where_data(stage))
        yield Question(data_release_role(stage), "dynamodb:DescribeTable", there("dynamodb", f"table/visits-{stage}"))
        yield Question(data_release_role(stage), "s3:GetObject", artifact)
    yield Question("CodePipelineRole", "sns:Publish", pipeline().arn("NoticeTopic"))
    yield Question("NoticeMachineRole", "sns:Publish", pipeline().arn("NoticeTopic"))
    yield Question("NoticeMachineRole", "codepipeline:GetPipelineExecution", pipeline().arn("AppPipeline"))
    yield Question("NoticeEventsRole", "states:StartExecution", pipeline().arn("NoticeMachine"))


def where_data(stage: str) -> str:
    return there("cloudformation", f"stack/visits-data-{stage}/0123")


@pytest.mark.parametrize("stage", STAGES)
def test_what_deploys_the_data_of_a_stage_hands_over_its_template_and_does_nothing_else(stage: str) -> None:
    """It runs the repository's code, and beta's runs before anybody has approved."""
    actor, other = data_release_role(stage), "beta" if stage == "prod" else "prod"
    own, foreign = pipeline().arn(data_role(stage)), pipeline().arn(data_role(other))
    create, to_it = "cloudformation:CreateChangeSet", {"iam:PassedToService": "cloudformation.amazonaws.com"}
    answers = allowed(
        pipeline(),
        [
            Question(actor, create, where_data(stage)),
            Question(actor, create, where_data(stage), {"cloudformation:RoleArn": pipeline().arn(app_role(stage))}),
            Question(actor, create, where_data(other), {"cloudformation:RoleArn": own}),
            Question(
                actor, create, there("cloudformation", f"stack/visits-{stage}/1"), {"cloudformation:RoleArn": own}
            ),
            Question(actor, "cloudformation:ExecuteChangeSet", where_data(other)),
            Question(actor, "cloudformation:DeleteStack", where_data(stage)),
            Question(actor, "iam:PassRole", foreign, to_it),
            Question(actor, "iam:PassRole", own, {"iam:PassedToService": "lambda.amazonaws.com"}),
            Question(actor, "dynamodb:DescribeTable", there("dynamodb", f"table/visits-{other}")),
            Question(actor, "dynamodb:UpdateTable", there("dynamodb", f"table/visits-{stage}")),
            Question(actor, "s3:PutObject", f"{pipeline().arn('ArtifactBucketStore')}/visits/Source/0123"),
        ],
    )
    assert [str(question) for question, yes in answers.items() if yes] == []


RELEASED: Final = "arn:aws:iam::123456789012:role/visits-release-prod-AppRole-1A2B"
"""A role that a stack of release.json has made in a further Region."""
CODE: Final = "arn:aws:s3:::visits-release-prod-applicationbucket-1a2b"


def regional(action: str, resource: str, region: str = FURTHER[0], **more: str) -> Question:
    """Asked of what releases to further Regions; `more` are condition keys, with __ for a colon."""
    given = {name.replace("__", ":"): value for name, value in more.items()}
    context = {"aws:RequestedRegion": region, **given}
    return Question("RegionsReleaseRole", action, resource, context)


def in_region(stack: str, region: str = FURTHER[0]) -> str:
    return there("cloudformation", f"stack/{stack}/0123", region=region)


def test_who_releases_to_further_regions_may_do_there_what_make_release_does() -> None:
    change, passed = "cloudformation:CreateChangeSet", {"iam__PassedToService": "cloudformation.amazonaws.com"}
    asked = [regional("iam:PassRole", RELEASED, **passed), regional("s3:GetObject", f"{CODE}/templates/0123.json")]
    for region in FURTHER:
        for stack in ("visits-data-prod", "visits-prod", "visits-console-prod"):
            asked.append(regional(change, in_region(stack, region), region, cloudformation__RoleArn=RELEASED))
            asked.append(regional("cloudformation:GetTemplate", in_region(stack, region), region))
        transform = f"arn:aws:cloudformation:{region}:aws:transform/Serverless-2016-10-31"
        asked += [
            regional(change, transform, region),
            regional("cloudformation:DescribeStacks", in_region("visits-release-prod", region), region),
            regional("dynamodb:DescribeTable", there("dynamodb", "table/visits-prod", region=region), region),
            regional("s3:PutObject", f"{CODE}/code/0123.zip", region),
            regional("s3:PutObject", f"arn:aws:s3:::visits-prod-console-{ACCOUNT}-{region}/index.html", region),
            regional("s3:ListBucket", f"arn:aws:s3:::visits-prod-console-{ACCOUNT}-{region}", region),
        ]
    answers = allowed(pipeline(), asked)
    assert [str(question) for question, yes in answers.items() if not yes] == []


def test_who_releases_to_further_regions_does_nothing_else_and_nothing_in_another_one() -> None:
    change, role = "cloudformation:CreateChangeSet", {"cloudformation__RoleArn": RELEASED}
    own, elsewhere = pipeline().arn(app_role("prod")), "eu-west-3"
    answers = allowed(
        pipeline(),
        [
            regional(change, in_region("visits-prod")),
            regional(change, in_region("visits-prod"), cloudformation__RoleArn=own),
            regional(change, in_region("visits-prod", REGION), REGION, **role),
            regional(change, in_region("visits-prod", elsewhere), elsewhere, **role),
            regional(change, in_region("visits-beta"), **role),
            regional(change, in_region("visits-release-prod"), **role),
            regional("cloudformation:DeleteStack", in_region("visits-data-prod")),
            regional("cloudformation:ExecuteChangeSet", in_region("visits-prod", elsewhere), elsewhere),
            regional("iam:PassRole", RELEASED, iam__PassedToService="lambda.amazonaws.com"),
            regional("iam:PassRole", own, iam__PassedToService="cloudformation.amazonaws.com"),
            # The evaluator takes a bucket for the caller's: here both are of another account.
            regional("s3:PutObject", f"{CODE}/code/0123.zip", aws__PrincipalAccount="210987654321"),
            regional("s3:PutObject", f"{CODE}/elsewhere"),
            regional("s3:DeleteObject", f"{CODE}/code/0123.zip"),
            regional("s3:PutObject", f"{pipeline().arn('ApplicationBucket')}/code/0123.zip"),
            regional("s3:PutObject", f"arn:aws:s3:::visits-beta-console-{ACCOUNT}-{FURTHER[0]}/index.html"),
            regional("dynamodb:GetItem", there("dynamodb", "table/visits-prod", region=FURTHER[0])),
        ],
    )
    assert [str(question) for question, yes in answers.items() if yes] == []


def test_a_release_may_do_what_it_has_to_do() -> None:
    answers = allowed(pipeline(), list(release()))
    assert [str(question) for question, yes in answers.items() if not yes] == []


def test_who_runs_and_builds_a_release_does_no_more_than_that() -> None:
    """The build runs the tests' code, and the pipeline gives orders: neither changes anything in a stage itself."""
    code = f"{pipeline().arn('ApplicationBucket')}/code/0123.zip"
    other_repository = {"codeconnections:FullRepositoryId": ["agency/payroll"]}
    connection = pipeline().arn("GithubConnection")
    answers = allowed(
        pipeline(),
        [
            Question("CodeBuildRole", "cloudformation:CreateChangeSet", there("cloudformation", "stack/visits-prod/1")),
            Question("CodeBuildRole", "iam:PassRole", pipeline().arn(app_role("prod"))),
            Question("CodeBuildRole", "s3:DeleteObject", code),
            Question("CodeBuildRole", "ssm:GetParameters", there("ssm", "parameter/visits/beta/test-key")),
            Question("CodeBuildRole", "codeconnections:UseConnection", connection),
            Question("TestRole", "s3:PutObject", f"{pipeline().arn('ArtifactBucketStore')}/visits/Packaged/0123"),
            Question("TestRole", "s3:PutObject", code),
            Question("TestRole", "ssm:GetParameters", there("ssm", "parameter/visits/prod/test-key")),
            Question("CodePipelineRole", "lambda:UpdateFunctionCode", there("lambda", "function:visits-prod")),
            Question("CodePipelineRole", "cloudformation:DeleteStack", there("cloudformation", "stack/visits-prod/1")),
            Question("CodePipelineRole", "cloudformation:CreateChangeSet", there("cloudformation", "stack/payroll/1")),
            Question("CodePipelineRole", "iam:PassRole", there("iam", "role/administrator", region="")),
            Question("CodePipelineRole", "iam:PassRole", pipeline().arn(app_role("prod"))),
            Question("CodePipelineRole", "codeconnections:UseConnection", connection, other_repository),
        ],
    )
    assert [str(question) for question, yes in answers.items() if yes] == []


def test_no_build_changes_what_another_has_made() -> None:
    """Who pushes while a release waits for its approval gets no code of his own under the name of what is approved."""
    bucket = pipeline().arn("ApplicationBucket")
    together = [*documents(pipeline(), "CodeBuildRole"), *documents(pipeline(), "ApplicationBucketPolicy")]
    new = Question("build", "s3:PutObject", f"{bucket}/code/0123.zip", {"s3:if-none-match": "*"})
    instead = Question("build", "s3:PutObject", f"{bucket}/code/0123.zip")
    assert decided({"build": together}, [new, instead]) == {new: True, instead: False}


def test_a_pull_request_deploys_nothing_and_reads_no_secret() -> None:
    """Its author decides what the build does: so it counts what the role could do, not what the build spec says."""
    release, source = pipeline().arn("ArtifactBucketStore"), pipeline().arn("PullRequestBucket")
    app = pipeline().arn(app_role("prod"))
    refused = [
        ("s3:GetObject", f"{release}/visits/Packaged/0123"),
        ("s3:PutObject", f"{release}/visits/Packaged/0123"),
        ("s3:PutObject", f"{pipeline().arn('ApplicationBucket')}/code/0123.zip"),
        # nor can one pull request change what another, or the pipeline, reads
        ("s3:PutObject", f"{source}/visits-pull-requests/SourceRepo/0123"),
        ("kms:Decrypt", pipeline().arn("PipelineKey")),
        ("ssm:GetParameters", there("ssm", "parameter/visits/beta/test-key")),
        ("secretsmanager:GetSecretValue", there("secretsmanager", "secret:any")),
        ("codeconnections:UseConnection", pipeline().arn("GithubConnection")),
        ("codeconnections:GetConnectionToken", pipeline().arn("GithubConnection")),
        ("cloudformation:CreateChangeSet", there("cloudformation", "stack/visits-beta/1")),
        ("lambda:UpdateFunctionCode", there("lambda", "function:visits-beta")),
        ("codepipeline:StartPipelineExecution", pipeline().arn("AppPipeline")),
        ("codepipeline:PutApprovalResult", f"{pipeline().arn('AppPipeline')}/Approve/Approve"),
        ("codebuild:StartBuild", pipeline().arn("AppPackageBuild")),
        ("iam:PassRole", app),
        ("sts:AssumeRole", app),
    ]
    wanted = Question("PullRequestRole", "s3:GetObject", f"{source}/visits-pull-requests/SourceRepo/0123")
    answers = allowed(pipeline(), [wanted, *(Question("PullRequestRole", *each) for each in refused)])
    assert [str(question) for question, yes in answers.items() if yes] == [str(wanted)]
    runs = [
        Question("PullRequestPipelineRole", "codebuild:StartBuild", pipeline().arn("AppPackageBuild")),
        Question("PullRequestPipelineRole", "iam:PassRole", app),
        Question("PullRequestPipelineRole", "cloudformation:CreateChangeSet", there("cloudformation", "stack/x/1")),
    ]
    assert not any(allowed(pipeline(), runs).values())


def test_no_role_of_the_pipeline_may_do_everything_or_anything_to_everything() -> None:
    nameless = {
        "cloudwatch:DescribeAlarms",
        "cloudfront:CreateDistribution",
        "cloudfront:CreateOriginAccessControl",
        "cloudfront:CreateResponseHeadersPolicy",
        "codedeploy:StopDeployment",
        "cognito-idp:CreateUserPool",
        "cognito-idp:DescribeUserPoolDomain",
        "lambda:CreateEventSourceMapping",
        "logs:DescribeIndexPolicies",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "textract:AnalyzeDocument",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
    kinds = ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
    for name in (each for each, resource in pipeline().resources.items() if resource["Type"] in kinds):
        for statement in (each for each in statements(pipeline(), name) if each["Effect"] == "Allow"):
            actions = listed(statement["Action"])
            assert not any(action.endswith((":*", "*:*")) or action == "*" for action in actions), (name, actions)
            if "*" in listed(statement["Resource"]):
                assert set(actions) <= nameless, (name, actions)


def test_every_action_and_project_has_a_role_of_its_own() -> None:
    used = [
        pipeline().properties(name)[property_name]
        for name, resource in pipeline().resources.items()
        for property_name in ("RoleArn", "ServiceRole")
        if property_name in resource.get("Properties", {})
    ]
    used += [
        action["Configuration"]["RoleArn"]
        for stage in pipeline().properties("AppPipeline")["Stages"]
        for action in stage["Actions"]
        if "RoleArn" in action["Configuration"]
    ]
    assert len(used) == len(set(used)) == 13
