"""`make policies`: writes what each function may do, in each stage, to `.chalice/policies/<stage>/<function>.json`.

Chalice puts nothing into a policy file and IAM knows no stages, so there is one file for each; a test compares them
with this and with the calls that the functions make. Partition, Region and account are wildcards, since a file names
none of them: a role reaches its own account only, whatever an ARN says, and the names of table and queue end in the
stage.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from chalicelib.functions import FUNCTIONS, Function, Queue, Traits
from chalicelib.repositories.items import BY_MONTH, SORT_KEYS
from tools.project import ROOT

FOLDER: Final = ROOT / ".chalice" / "policies"
STAGES: Final = ("dev", "beta", "prod")
TRIAL: Final = "trial"
"""The stage of `make prove`, whose policies are in no file."""
MADE_BY_CHALICE_DEPLOY: Final = ("dev", TRIAL)
"""The stages that CloudFormation does not make."""

READS: Final = ("GetItem", "Query")
API_KEY_ITEMS: Final = "K#????????????????"
"""The partitions of API keys; the signing keys, `K#:signing`, are not among them."""
API_KEY_LIST: Final = "KS"

QUEUES: Final = {
    Queue.INTAKES: "Queue",
    Queue.WEBHOOKS: "WebhookQueue",
    Queue.SHEETS: "SheetQueue",
    Queue.NOTICES: "NoticeQueue",
}
"""How the statements about the queues are called."""

Statement = dict[str, Any]
Policy = dict[str, Any]


def policy(function: Function, stage: str) -> Policy:
    """What the function may do in the stage, and nothing else."""
    traits = FUNCTIONS[function]
    statements = [
        *(_table(stage, traits) if traits.items else ()),
        *([_indexes(stage)] if traits.indexes else ()),
        *([_lists(stage, traits.only_lists)] if traits.only_lists else ()),
        *([_stream(stage)] if traits.fed_by_stream else ()),
        *(_queue(QUEUES[queue], f"visits-{stage}{queue}", actions) for queue, actions in traits.queues.items()),
        *([_dead_letters(stage)] if traits.counts_dead_letters else ()),
        *([_mail(stage)] if traits.sends_mail else ()),
        *(_sheet_files(stage, traits.sheet_files) if traits.sheet_files else ()),
        *([_recognition()] if traits.recognises else ()),
        *([_no_api_keys(stage)] if traits.items and not traits.only_items else ()),
        *([_one_api_key(stage)] if traits.reads_api_keys else ()),
    ]
    return {"Version": "2012-10-17", "Statement": [*statements, _logs(function, stage), _traces()]}


def log_group(function: Function, stage: str) -> str:
    """Where the function's log is. The one that serves the API is called after the app and the stage alone."""
    name = f"visits-{stage}" if function is Function.API else f"visits-{stage}-{function}"
    return f"/aws/lambda/{name}"


def written() -> Mapping[Path, str]:
    """Every policy file and what is in it."""
    return {
        FOLDER / stage / f"{function}.json": json.dumps(policy(function, stage), indent=2) + "\n"
        for stage in STAGES
        for function in FUNCTIONS
    }


def _table(stage: str, traits: Traits) -> Sequence[Statement]:
    """A transaction is allowed by the actions of its members; it has none of its own."""
    if not traits.only_changes:
        return [_items("Table", traits.items, traits.only_items, stage)]
    writes = [action for action in traits.items if action not in READS]
    return [
        _items("Table", [action for action in traits.items if action in READS], traits.only_items, stage),
        _items("TableChanges", writes, traits.only_changes, stage),
    ]


def _items(sid: str, actions: Sequence[str], partitions: Sequence[str], stage: str) -> Statement:
    allowed = _allow(sid, [f"dynamodb:{action}" for action in actions], _table_arn(stage))
    return {**allowed, "Condition": _leading(*partitions)} if partitions else allowed


def _leading(*partitions: str) -> Mapping[str, Any]:
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(partitions)}}


def _lists(stage: str, partitions: Sequence[str]) -> Statement:
    """Some lists of the month index, and none of the visits in it."""
    lists = _allow("Lists", ["dynamodb:Query"], f"{_table_arn(stage)}/index/{BY_MONTH}")
    return {**lists, "Condition": _leading(*partitions)}


def _stream(stage: str) -> Statement:
    """What Lambda reads the stream with, as the function:
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    """
    actions = ["DescribeStream", "GetRecords", "GetShardIterator"]
    return _allow("Stream", [f"dynamodb:{action}" for action in actions], f"{_table_arn(stage)}/stream/*")


def _indexes(stage: str) -> Statement:
    return _allow("Indexes", ["dynamodb:Query"], [f"{_table_arn(stage)}/index/{name}" for name in SORT_KEYS])


def _queue(sid: str, name: str, actions: Sequence[str]) -> Statement:
    return _allow(sid, [f"sqs:{action}" for action in actions], f"arn:*:sqs:*:*:{name}")


def _dead_letters(stage: str) -> Statement:
    """Their number, which is an attribute of the queue; whoever receives a message sees what is in it."""
    names = [f"arn:*:sqs:*:*:visits-{stage}{queue.dead_letters}" for queue in Queue]
    return _allow("DeadLetters", ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"], names)


def _sheet_files(stage: str, folders: Mapping[str, Sequence[str]]) -> Sequence[Statement]:
    """By folder. Only whoever may list the bucket is told that something is not there: others are refused.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    """
    # The stage's name is followed by account and Region. Names of buckets are the world's: only one of our own counts.
    bucket = f"arn:*:s3:::visits-{stage}-sheets-*"
    own = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
    statements = [
        _allow("SheetsListed", ["s3:ListBucket"], bucket),
        *(
            _allow(f"Sheets{folder.capitalize()}", [f"s3:{action}" for action in actions], f"{bucket}/{folder}/*")
            for folder, actions in folders.items()
        ),
    ]
    return [{**statement, "Condition": own} for statement in statements]


def _recognition() -> Statement:
    """Textract knows no resources to name here."""
    return _allow("Recognition", ["textract:AnalyzeDocument"], "*")


def _mail(stage: str) -> Statement:
    """Who the agency writes as, only the stage's settings know. The configuration set is called after the stage."""
    sender = ["arn:*:ses:*:*:identity/*", f"arn:*:ses:*:*:configuration-set/visits-{stage}"]
    return _allow("Mail", ["ses:SendRawEmail"], sender)


def _one_api_key(stage: str) -> Statement:
    """The authorizer reads API keys one by one and nothing else of the table, nobody's visits."""
    return {**_allow("ApiKeys", ["dynamodb:GetItem"], _table_arn(stage)), "Condition": _leading(API_KEY_ITEMS)}


def _no_api_keys(stage: str) -> Statement:
    """Nobody makes or finds a key through a hole in the API: only operators write them, only the authorizer reads."""
    return {
        "Sid": "NoApiKeys",
        "Effect": "Deny",
        "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:Query"],
        "Resource": [_table_arn(stage), f"{_table_arn(stage)}/index/*"],
        "Condition": {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": [API_KEY_ITEMS, API_KEY_LIST]}},
    }


def _logs(function: Function, stage: str) -> Statement:
    """Its own log group. The template makes those of beta and prod; `chalice deploy` misnames the one of dev's API,
    which therefore the function makes.
    """
    actions = ["logs:CreateLogStream", "logs:PutLogEvents"]
    if stage in MADE_BY_CHALICE_DEPLOY:
        actions.insert(0, "logs:CreateLogGroup")
    return _allow("Logs", actions, f"arn:*:logs:*:*:log-group:{log_group(function, stage)}:*")


def _traces() -> Statement:
    """X-Ray knows no resources to name here."""
    return _allow("Traces", ["xray:PutTraceSegments", "xray:PutTelemetryRecords"], "*")


def _allow(sid: str, actions: Sequence[str], resource: str | Sequence[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _table_arn(stage: str) -> str:
    return f"arn:*:dynamodb:*:*:table/visits-{stage}"


def main() -> None:
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
