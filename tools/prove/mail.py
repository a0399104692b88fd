"""Mail of the trial, from a sender that the account has verified: what SES tells of it, and what arrives."""

from __future__ import annotations

import email
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from chalicelib.container import over, utc_now
from chalicelib.domain.notices import Kind, Letter, Sender
from chalicelib.domain.visits import BookVisit, Visitor
from chalicelib.exports.mail import write_mail
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.outbox import SesOutbox
from tools.deliver.cloudformation import bring_up_to_date, outputs
from tools.prove.sweep import PREFIX
from tools.prove.trial import NotTried, Trial, expect, until

STACK: Final = f"{PREFIX}-mail"
SIMULATOR: Final = "simulator.amazonses.com"
HEADERS: Final = ("From", "To", "Subject", "Auto-Submitted")

Part = dict[str, Any]


def told_of(trial: Trial) -> str:
    """One mail to a simulated mailbox, one to one that does not exist; the events as a stage's rules get them."""
    made = _made(trial, _events())
    wanted = {("success", "Send"), ("success", "Delivery"), ("bounce", "Bounce")}
    for name in ("success", "bounce"):
        _outbox(trial).send(f"{name}@{SIMULATOR}", write_mail(_letter(trial, f"{name}@{SIMULATOR}")), _tags(name))
    sqs, seen = trial.client("sqs"), set[tuple[str, str]]()

    def all_told() -> bool | None:
        got = sqs.receive_message(QueueUrl=made["Heard"], MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in got.get("Messages", []):
            seen.update(events_in(message["Body"]))
            sqs.delete_message(QueueUrl=made["Heard"], ReceiptHandle=message["ReceiptHandle"])
        return wanted <= seen or None

    until(f"SES tells of {sorted(wanted)}", all_told)
    return "SES tells by our tags that a mail was sent and delivered, and that one bounced for good"


def events_in(message: str) -> Iterator[tuple[str, str]]:
    """Which mail, by the tag `visit` that our rules read, and what became of it."""
    detail = json.loads(message)["detail"]
    if detail["eventType"] != "Bounce" or detail["bounce"]["bounceType"] == "Permanent":
        yield detail["mail"]["tags"]["visit"][0], detail["eventType"]


def arrives(trial: Trial) -> str:
    """Through a rule of its own in the account's active rule set, into a bucket of its own."""
    inbox = trial.wishes.inbox
    if not inbox:
        raise NotTried("INBOX=<an address at a domain that SES receives mail for> tries it")
    rules = trial.client("ses").describe_active_receipt_rule_set().get("Metadata", {}).get("Name")
    if rules is None:
        raise NotTried("the account has no active rule set that receives mail")
    bucket = _made(trial, _events() | _receives(rules, inbox))["Bucket"]
    sent = write_mail(_letter(trial, inbox))
    _outbox(trial).send(inbox, sent, _tags("received"))
    s3 = trial.client("s3")

    def received() -> bytes | None:
        # SES puts a note of its own there when it may write.
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="mail/").get("Contents", [])
        keys = [each["Key"] for each in listed if not each["Key"].endswith("AMAZON_SES_SETUP_NOTIFICATION")]
        return s3.get_object(Bucket=bucket, Key=keys[0])["Body"].read() if keys else None

    differs = differences(sent, until("the mail arrives", received))
    return expect(not differs, "; ".join(differs) or "the mail arrives as it was written, signed for its domain (DKIM)")


def differences(sent: bytes, received: bytes) -> list[str]:
    """What of a mail is other than it was written, or is not vouched for."""
    wrote, got = (email.message_from_bytes(each, policy=SMTP) for each in (sent, received))
    found = [f"{name} is {got[name]}" for name in HEADERS if str(wrote[name]) != str(got[name])]
    if _parts(wrote) != _parts(got):
        found.append(f"its parts are {[kind for kind, _, _ in _parts(got)]}, or say something else")
    if "dkim=pass" not in str(got["Authentication-Results"]):
        found.append("its signature does not hold")
    return found


def _parts(mail: EmailMessage) -> list[tuple[str, str | None, bytes]]:
    """Type with method, name and content of each that is no mere wrapping. Line ends are the way's."""
    return [
        (
            f"{part.get_content_type()} {part.get_param('method', '')}".strip(),
            part.get_filename(),
            bytes(part.get_payload(decode=True)).replace(b"\r\n", b"\n"),
        )
        for part in mail.walk()
        if not part.is_multipart()
    ]


def _letter(trial: Trial, address: str) -> Letter:
    services = over(trial.table, SqsQueue(lambda: trial.client("sqs"), PREFIX))
    start = (utc_now() + timedelta(days=50)).replace(hour=10, minute=0, second=0, microsecond=0)
    booked = services.visits.book(BookVisit(trial.house(), start, visitor=Visitor(email=address), notify=False))
    sender = Sender(address=trial.wishes.sender, agency="Trial", language="en", leads=())
    return Letter(Kind.CONFIRMED, booked.result, "Trial", address, sender, None, None)


def _tags(visit: str) -> Mapping[str, str]:
    return {"visit": visit, "recipient": "prove"}


def _outbox(trial: Trial) -> SesOutbox:
    return SesOutbox(lambda: trial.client("ses"), STACK)


def _made(trial: Trial, resources: Part) -> Mapping[str, str]:
    """The outputs of the stack, which the sweep deletes. Raises NotTried without a sender."""
    if not trial.wishes.sender:
        raise NotTried("MAIL=<a sender that SES has verified in this account and Region> tries it")
    shown = {name: {"Value": {"Ref": name}} for name in ("Heard", "Bucket") if name in resources}
    body = {"TemplateBody": json.dumps({"Resources": resources, "Outputs": shown})}
    bring_up_to_date(trial.stage.cloudformation, STACK, body, {})
    return outputs(trial.stage.cloudformation, STACK)


def _events() -> Part:
    """As `.chalice/mail.json` has it, into a queue that the trial reads itself."""
    bus = {"Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"}
    heard = {"Fn::GetAtt": ["Heard", "Arn"]}
    pattern = {"source": ["aws.ses"], "detail": {"mail": {"tags": {"ses:configuration-set": [STACK]}}}}
    destination = {
        "Name": "events",
        "Enabled": True,
        "MatchingEventTypes": ["send", "delivery", "bounce"],
        "EventBridgeDestination": {"EventBusArn": bus},
    }
    return {
        "Set": {"Type": "AWS::SES::ConfigurationSet", "Properties": {"Name": STACK}},
        "Told": {
            "Type": "AWS::SES::ConfigurationSetEventDestination",
            "Properties": {"ConfigurationSetName": {"Ref": "Set"}, "EventDestination": destination},
        },
        "Heard": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": STACK}},
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {"Name": STACK, "EventPattern": pattern, "Targets": [{"Id": "heard", "Arn": heard}]},
        },
        "RuleMayTell": {
            "Type": "AWS::SQS::QueuePolicy",
            "Properties": {
                "Queues": [{"Ref": "Heard"}],
                "PolicyDocument": _allow("events.amazonaws.com", "sqs:SendMessage", heard),
            },
        },
    }


def _receives(rules: str, inbox: str) -> Part:
    name = {"Fn::Sub": f"{STACK}-${{AWS::AccountId}}-${{AWS::Region}}"}
    files = {"Fn::Sub": "${Bucket.Arn}/mail/*"}
    store = {"S3Action": {"BucketName": {"Ref": "Bucket"}, "ObjectKeyPrefix": "mail/"}}
    rule = {"Name": STACK, "Enabled": True, "Recipients": [inbox], "Actions": [store]}
    return {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}},
        "SesMayPut": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": _allow("ses.amazonaws.com", "s3:PutObject", files),
            },
        },
        "Received": {
            "Type": "AWS::SES::ReceiptRule",
            "DependsOn": "SesMayPut",
            "Properties": {"RuleSetName": rules, "Rule": rule},
        },
    }


def _allow(service: str, action: str, resource: Part) -> Part:
    """To a service, for this account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": action,
        "Resource": resource,
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
