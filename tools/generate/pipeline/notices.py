"""Who is told: a topic with a mail address, and what makes a readable notice of a pipeline's events.

An event of CodePipeline names no commit, and a rule alone can only pass on what is in the event. So a state machine
looks the execution up first; when that fails it tells what it knows. The alarms of the stages come to the same topic.
"""

import json
import re
from typing import Any, Final

from chalice.pipeline import BaseResource, PipelineParameters

from tools.generate.pipeline.language import SERVICE, Part, allow, arn, attribute, ref, role

EXECUTION: Final = "CodePipeline Pipeline Execution State Change"
STAGE: Final = "CodePipeline Stage Execution State Change"

PIPELINES: Final = ("AppPipeline", "PullRequestPipeline")

LOOK_UP: Final = "{% $merge([$states.input, {'execution': $states.result.PipelineExecution}]) %}"

WORTH_TELLING: Final = (
    "{% $states.input.detail.state = 'FAILED' or $states.input.execution.ExecutionType = 'ROLLBACK' %}"
)

SUBJECT: Final = """{% (
    $event := $states.input.detail;
    $where := $exists($event.stage) ? ', stage ' & $event.stage : '';
    $substring('Pipeline ' & $event.pipeline & $where & ': ' & $lowercase($event.state), 0, 100)
) %}"""

MESSAGE: Final = """{% (
    $event := $states.input.detail;
    $run := $states.input.execution;
    $commit := $run.ArtifactRevisions[0];
    $line := function($name, $value) { $exists($value) ? $name & $value & '\\n' : '' };
    $page := 'https://' & $states.input.region & '.console.aws.amazon.com/codesuite/codepipeline/pipelines/';
    $rollback := $run.ExecutionType = 'ROLLBACK';
    ($rollback ? 'This was a rollback to the last good release.\\n\\n' : '')
        & $line('Pipeline:  ', $event.pipeline)
        & $line('Stage:     ', $event.stage)
        & $line('State:     ', $lowercase($event.state))
        & $line('When:      ', $states.input.time)
        & $line('Commit:    ', $exists($commit) ? $commit.RevisionId : 'none was fetched, or it could not be looked up')
        & $line('Change:    ', $commit.RevisionUrl)
        & $line('Execution: ', $page & $event.pipeline & '/executions/' & $event.`execution-id` & '/timeline')
        & '\\nWhat to do: docs/delivery.md, "When something fails".'
) %}"""


class Notices(BaseResource):
    """Mail when an execution or a stage fails, when a stage was rolled back, and when an alarm fires."""

    def add_to_template(self, template: dict[str, Any], pipeline_params: PipelineParameters) -> None:
        template["Parameters"]["NotificationEmail"] = {
            "Type": "String",
            "AllowedPattern": "[^@ ]+@[^@ ]+",
            "Description": "Who is told when a pipeline fails, when an alarm fires and when a release waits.",
        }
        resources = template["Resources"]
        resources["NoticeTopic"] = {
            "Type": "AWS::SNS::Topic",
            "Properties": {
                "KmsMasterKeyId": ref("PipelineKey"),
                "Subscription": [{"Protocol": "email", "Endpoint": ref("NotificationEmail")}],
            },
        }
        resources["NoticeTopicPolicy"] = _alarms_may_publish()
        resources["NoticeMachine"] = _machine()
        resources["NoticeMachineRole"] = role(
            "states",
            allow("codepipeline:GetPipelineExecution", [_pipeline_arn(name) for name in PIPELINES]),
            allow("sns:Publish", ref("NoticeTopic")),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], attribute("PipelineKey")),
        )
        resources["NoticeEventsRole"] = role("events", allow("states:StartExecution", ref("NoticeMachine")))
        resources["PipelineFailed"] = _rule(
            "An execution or a stage of a pipeline failed", [EXECUTION, STAGE], "FAILED", *PIPELINES
        )
        # Events do not say which execution was a rollback; the state machine tells of those and of no other.
        resources["PipelineRolledBack"] = _rule("A stage was rolled back", [EXECUTION], "SUCCEEDED", "AppPipeline")


def _alarms_may_publish() -> Part:
    own = {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}}
    principal = {"Principal": {"Service": "cloudwatch.amazonaws.com"}}
    document = {
        "Version": "2012-10-17",
        "Statement": [{**allow("sns:Publish", ref("NoticeTopic")), **principal, "Condition": own}],
    }
    return {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": [ref("NoticeTopic")], "PolicyDocument": document},
    }


def _machine() -> Part:
    publish = {"TopicArn": "${topic}", "Subject": _tight(SUBJECT), "Message": _tight(MESSAGE)}
    states: Part = {
        "LookUp": {
            "Type": "Task",
            "Resource": "arn:${partition}:states:::aws-sdk:codepipeline:getPipelineExecution",
            "Arguments": {
                "PipelineName": "{% $states.input.detail.pipeline %}",
                "PipelineExecutionId": "{% $states.input.detail.`execution-id` %}",
            },
            "Output": LOOK_UP,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": "WorthTelling"}],
            "Next": "WorthTelling",
        },
        "WorthTelling": {
            "Type": "Choice",
            "Choices": [{"Condition": WORTH_TELLING, "Next": "Tell"}],
            "Default": "Quiet",
        },
        "Tell": {
            "Type": "Task",
            "Resource": "arn:${partition}:states:::sns:publish",
            "Arguments": publish,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 5, "MaxAttempts": 5, "BackoffRate": 2}],
            "End": True,
        },
        "Quiet": {"Type": "Succeed"},
    }
    definition = {"QueryLanguage": "JSONata", "StartAt": "LookUp", "TimeoutSeconds": 600, "States": states}
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        # It knows integrations of the partition aws alone.
        "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["E3601"]}}},
        "Properties": {
            "StateMachineName": f"{SERVICE}-notices",
            "RoleArn": attribute("NoticeMachineRole"),
            "DefinitionString": json.dumps(definition),
            "DefinitionSubstitutions": {"partition": ref("AWS::Partition"), "topic": ref("NoticeTopic")},
        },
    }


def _tight(expression: str) -> str:
    """Without the line breaks and indents that are for readers of this file."""
    return re.sub(r"\n *", "", expression)


def _rule(description: str, kinds: list[str], state: str, *pipelines: str) -> Part:
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": kinds,
        "detail": {"pipeline": [ref(pipeline) for pipeline in pipelines], "state": [state]},
    }
    target = {"Id": "notice", "Arn": ref("NoticeMachine"), "RoleArn": attribute("NoticeEventsRole")}
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {"Description": description, "EventPattern": pattern, "Targets": [target]},
    }


def _pipeline_arn(pipeline: str) -> Part:
    return arn("codepipeline", f"${{{pipeline}}}")
