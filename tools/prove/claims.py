"""What only AWS can show: each claim, what AWS's documentation says of it, and how it is looked at in the trial.

A check gives what it saw, or raises DoesNotHold or NotTried. It puts back what it changed.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from chalicelib.container import CLIENT, over, utc_now
from chalicelib.domain.visits import BookVisit, ChangeVisit, Status
from chalicelib.functions import Function, Queue
from chalicelib.http.sizes import LARGEST_BODY
from chalicelib.repositories.intake_queue import SqsQueue
from chalicelib.repositories.table import Table
from chalicelib.settings import REPORT_FAILURES
from tools import units
from tools.deliver.cloudformation import Changes, bring_up_to_date, describe
from tools.deliver.data_stack import told_to_app
from tools.deliver.deploy import gateway_template
from tools.deliver.gateway_settings import apply
from tools.deliver.package import expanded, package
from tools.deliver.release import CAPABILITIES
from tools.failure import CannotGoOn
from tools.generate.policies import TRIAL, policy
from tools.operate.worker import EventSource
from tools.prove.front import a_person, edge_api, edge_caches, edge_headers, signs_in
from tools.prove.mail import arrives, told_of
from tools.prove.sweep import PREFIX
from tools.prove.trial import DoesNotHold, Trial, expect, until
from tools.units import Units

IDLE_SECONDS: Final = 600
PACKAGED: Final = "beta"
"""A stage that is packaged, as the trial is not."""
AWS: Final = "https://docs.aws.amazon.com"
NO_EDGE: Final = "its distributions answer nowhere"


@dataclass(frozen=True)
class Claim:
    name: str
    says: str
    """What AWS's documentation says."""
    page: str
    check: Callable[[Trial], str]
    lacking: str = ""
    """Why the embedded AWS cannot show it."""


# The gateway


def unknown_route(trial: Trial) -> str:
    return f"404 {trial.problem(404, 'GET', '/nothing-here')}"


def unknown_method(trial: Trial) -> str:
    return f"404 {trial.problem(404, 'DELETE', '/health')}"


def too_large(trial: Trial) -> str:
    return f"413 {trial.problem(413, 'POST', '/intakes', b' ' * (10 * 1024 * 1024 + 1))}"


def throttled(trial: Trial) -> str:
    """By a limit of one call a second for a method that has its own limit anyway."""
    api = str((trial.stage.deployed_api() or {})["rest_api_id"])
    gateway, name = trial.client("apigateway"), trial.stage.gateway_stage
    path = "/~1health/GET/throttling/{}"

    def refused() -> str | None:
        calls = (trial.http.get("/health") for _ in range(10))
        headers = next((answer.headers for answer in calls if answer.status_code == 429), None)
        if headers is None:
            return None
        held = headers["Content-Type"] == "application/problem+json" and "Retry-After" in headers
        return expect(held, f"429 of {headers['Content-Type']}, Retry-After {headers.get('Retry-After')}")

    limits = [{"op": "replace", "path": path.format(it), "value": "1"} for it in ("rateLimit", "burstLimit")]
    try:
        gateway.update_stage(restApiId=api, stageName=name, patchOperations=limits)
        return until("more than one call a second is throttled", refused)
    finally:
        apply(trial.stage.session, gateway_template(trial.stage), api, name)


def authorizer_fault(trial: Trial) -> str:
    with trial.told(Function.AUTHORIZER, TABLE_NAME="visits-trial-missing"):
        fresh = f"Bearer {trial.new_key()}"
        return f"503 {trial.problem(503, 'GET', '/properties', Authorization=fresh)}"


def traces(trial: Trial) -> str:
    token, began = "prove-token-that-no-trace-may-hold", datetime.now().astimezone()
    xray: Any = trial.client("xray")

    def found() -> str | None:
        for _ in range(20):  # of which X-Ray samples the first of each second, and a twentieth
            trial.http.get("/properties/none/calendar.ics", params={"token": token})
        summaries = list(
            trial.pages(
                "xray", "get_trace_summaries", "TraceSummaries", StartTime=began, EndTime=datetime.now().astimezone()
            )
        )
        ids = [summary["Id"] for summary in summaries][:5]
        if not ids:
            return None
        return json.dumps([summaries, xray.batch_get_traces(TraceIds=ids)["Traces"]], default=str)

    return expect(token not in until("a trace", found), "traces hold no query")


def large_intake(trial: Trial) -> str:
    """One row, and blanks up to the size."""
    body = json.dumps({"visits": [{"propertyId": "none", "date": _in_days(30)}]}).encode()
    body += b" " * (LARGEST_BODY - len(body))
    answer = trial.http.post("/intakes", content=body, headers={"Content-Type": "application/json"})
    seen = f"{len(body):,} bytes are a {answer.status_code}"
    expect(answer.status_code == 202, f"{seen}: {answer.text[:200]}")
    return f"{seen}, one more is 413 {trial.problem(413, 'POST', '/intakes', body + b' ')}"


# Functions


def leading_keys(trial: Trial) -> str:
    """With a role of the deliverer's own policy, taken on by whoever proves."""
    me, name = trial.client("sts").get_caller_identity(), f"{PREFIX}-prover"
    account = f"arn:{trial.stage.place.partition}:iam::{me['Account']}:root"
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    iam = trial.client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
    own = json.dumps(policy(Function.DELIVER, TRIAL))
    iam.put_role_policy(RoleName=name, PolicyName="policy", PolicyDocument=own)

    def allowed(pk: str) -> bool | None:
        try:
            access = trial.client("sts").assume_role(RoleArn=role, RoleSessionName="prove")["Credentials"]
            dynamodb: Any = trial.stage.session.create_client(
                "dynamodb",
                aws_access_key_id=access["AccessKeyId"],
                aws_secret_access_key=access["SecretAccessKey"],
                aws_session_token=access["SessionToken"],
            )
            dynamodb.get_item(TableName=PREFIX, Key={"pk": {"S": pk}, "sk": {"S": "V"}})
        except ClientError:
            return None
        return True

    until("the deliverer may read the feed", lambda: allowed("E#head"))
    return expect(allowed("V#anything") is None, "the deliverer may read events, and is refused a visit")


def paused_mapping(trial: Trial) -> str:
    source = EventSource(trial.client("lambda"), trial.client("sqs"), TRIAL, PREFIX)
    source.bring_to("Disabled")
    try:
        row = {"propertyId": trial.house(), "date": _in_days(30)}
        intake = trial.answer(202, "POST", "/intakes", {"visits": [row]}).headers["Location"]
        time.sleep(0 if trial.emulated else 60)
        waiting = _status(trial, intake)
        expect(waiting == "queued", f"while the mapping is disabled the intake is {waiting}")
    finally:
        source.bring_to("Enabled")
    until("the intake is worked off", lambda: _status(trial, intake) == "done" or None)
    return "the message waited while the mapping was disabled, and was worked off afterwards"


def _status(trial: Trial, intake: str) -> str:
    return str(trial.answer(200, "GET", f"/intakes/{intake.rpartition('/')[2]}").json()["status"])


def _in_days(days: int, hour: int = 10) -> str:
    return (utc_now() + timedelta(days=days)).replace(hour=hour, minute=0, second=0).isoformat()


def batch_failures(trial: Trial) -> str:
    """One row that cannot be finished among those that can: the worker is told of a bucket of time too small."""
    functions = trial.client("lambda")
    name = trial.function(Function.WORKER)
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    with trial.told(Function.WORKER, FUNCTION_RESPONSE_TYPES=REPORT_FAILURES, TABLE_NAME="visits-trial-missing"):
        functions.update_event_source_mapping(UUID=mapping["UUID"], FunctionResponseTypes=[REPORT_FAILURES])
        row = {"propertyId": "none", "date": _in_days(30)}
        for _ in range(20):
            trial.answer(202, "POST", "/intakes", {"visits": [row]})

        def hidden() -> int | None:
            asked = ["ApproximateNumberOfMessagesNotVisible"]
            told = trial.client("sqs").get_queue_attributes(QueueUrl=trial.queue_url(), AttributeNames=asked)
            return int(told["Attributes"][asked[0]]) or None

        failed = until("messages come back", hidden)
    began = time.monotonic()
    intake = trial.answer(202, "POST", "/intakes", {"visits": [row]}).headers["Location"]
    until("the mapping has its speed again", lambda: _status(trial, intake) == "done" or None, 600)
    functions.update_event_source_mapping(UUID=mapping["UUID"], FunctionResponseTypes=[])
    return f"{failed} messages came back; the next good one took {time.monotonic() - began:.0f} s"


def dead_letters_counted(trial: Trial) -> str:
    """By the API, whose role may do nothing else with them."""
    sqs: Any = trial.client("sqs")
    dead = sqs.get_queue_url(QueueName=f"{PREFIX}{Queue.NOTICES.dead_letters}")["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="prove")

    def counted() -> str | None:
        counts = {it["queue"]: it["count"] for it in trial.answer(200, "GET", "/dead-letters").json()["items"]}
        return f"{counts['notices']} of notices" if counts["notices"] else None

    try:
        return until("the letter is counted", counted)
    finally:
        sqs.purge_queue(QueueUrl=dead)


def stream_mapping(trial: Trial) -> str:
    name = trial.function(Function.RELAY)
    (mapping,) = trial.client("lambda").list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    found = {key: mapping.get(key) for key in ("MaximumRetryAttempts", "MaximumRecordAgeInSeconds")}
    return expect(set(found.values()) == {-1}, f"of the relay: {found}")


def canary(trial: Trial) -> str:
    """Two versions behind an alias, half and half, and back in the middle of it."""
    functions, name = trial.client("lambda"), trial.function(Function.API)
    old = functions.publish_version(FunctionName=name)["Version"]
    trial.configure(Function.API, Description="prove")
    new = functions.publish_version(FunctionName=name)["Version"]
    weights = {"AdditionalVersionWeights": {new: 0.5}}
    functions.create_alias(FunctionName=name, Name="prove", FunctionVersion=old, RoutingConfig=weights)
    shifted = Counter(trial.invoke("/health", "prove")["ExecutedVersion"] for _ in range(30))
    functions.update_alias(
        FunctionName=name, Name="prove", FunctionVersion=old, RoutingConfig={"AdditionalVersionWeights": {}}
    )
    time.sleep(0 if trial.emulated else 15)
    back = Counter(trial.invoke("/health", "prove")["ExecutedVersion"] for _ in range(10))
    seen = f"half and half: {dict(shifted)}; taken back: {dict(back)}"
    return expect(shifted.keys() == {old, new} and back.keys() == {old}, seen)


def cold_start(trial: Trial) -> str:
    """As Lambda reports it: a changed setting makes the next call start anew."""
    said = []
    for n in range(5):
        trial.configure(Function.API, Description=f"prove {n}")
        said.append(_report(trial))
    warm = sorted(_report(trial)["Duration"] for _ in range(20))
    starts = sorted(each["Init Duration"] for each in said)
    return (
        f"cold start {starts[0]:.0f} to {starts[-1]:.0f} ms before the call, warm {warm[10]:.1f} ms (median of 20), "
        f"{max(each['Max Memory Used'] for each in said):.0f} MB"
    )


def _report(trial: Trial) -> dict[str, float]:
    """The figures of the REPORT line."""
    tail = base64.b64decode(trial.invoke("/health")["LogResult"]).decode()
    line = next(line for line in tail.splitlines() if line.startswith("REPORT"))
    pairs = [part.split(": ") for part in line.split("\t") if ": " in part]
    return {name: float(told.split()[0]) for name, told in pairs if told.split()[0].replace(".", "").isdigit()}


def idle(trial: Trial) -> str:
    before = trial.answer(200, "GET", "/health").elapsed
    time.sleep(IDLE_SECONDS)
    after = trial.answer(200, "GET", "/health").elapsed
    trial.house()
    return f"answers after ten idle minutes ({before.total_seconds():.2f} s, then {after.total_seconds():.2f} s)"


# The table, and stacks


def charged(trial: Trial) -> str:
    """By what DynamoDB itself says, call by call."""
    client: Any = trial.stage.session.create_client("dynamodb", config=CLIENT)
    told: list[Any] = []
    client.meta.events.register(
        "before-parameter-build.dynamodb", lambda params, **_: params.update(ReturnConsumedCapacity="TOTAL")
    )
    client.meta.events.register("after-call.dynamodb", lambda parsed, **_: told.append(parsed.get("ConsumedCapacity")))
    services = over(Table(client, PREFIX), SqsQueue(lambda: trial.client("sqs"), PREFIX))
    house = trial.house()
    services.signer.sign("warm", b"")

    def cost(does: Callable[[], object]) -> tuple[float, Any]:
        told.clear()
        done = does()
        every = [each for it in told for each in (it if isinstance(it, list) else [it]) if each]
        return sum(each["CapacityUnits"] for each in every), done

    start = datetime.fromisoformat(_in_days(40))
    booked, outcome = cost(lambda: services.visits.book(BookVisit(house, start)))
    visit = outcome.result
    read, _ = cost(lambda: services.visits.get(visit.id))
    moved, _ = cost(lambda: services.visits.change(visit.id, ChangeVisit(date=start + timedelta(hours=2)), None))
    cancelled, _ = cost(lambda: services.visits.change_status(visit.id, Status.CANCELLED, None))
    found = {"book": booked, "read": read, "move": moved, "cancel": cancelled}
    formulas = {"book": units.BOOK, "read": units.READ_VISIT, "move": units.MOVE, "cancel": units.CANCEL}
    wanted = {name: _sum(each) for name, each in formulas.items()}
    return expect(found == wanted, f"units are {found}, by our formulas {wanted}")


def _sum(each: Units) -> float:
    return each.reads + each.writes


def stack_goes_back(trial: Trial) -> str:
    """A small stack of its own, whose second version cannot be made."""
    cloudformation, name = trial.stage.cloudformation, f"{PREFIX}-stack"
    good = {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": f"{PREFIX}-topic"}}}
    policy = {
        "Type": "AWS::SNS::TopicPolicy",
        "Properties": {"Topics": ["no-arn"], "PolicyDocument": {"Statement": []}},
    }
    bring_up_to_date(cloudformation, name, {"TemplateBody": json.dumps({"Resources": good})}, {})
    try:
        bad = {"Resources": {**good, "Broken": policy}}
        bring_up_to_date(cloudformation, name, {"TemplateBody": json.dumps(bad)}, {})
    except CannotGoOn as why:
        status = (describe(cloudformation, name) or {}).get("StackStatus")
        return expect(status == "UPDATE_ROLLBACK_COMPLETE", f"{status} after: {str(why)[:150]}")
    raise DoesNotHold("an impossible resource was made")


def packaged_names(trial: Trial) -> str:
    """By a change set of a packaged stage under another name, which is looked at and not executed."""
    name, bucket, key = f"{PREFIX}-names", trial.stage.sheets_bucket, "prove/template.json"
    with tempfile.TemporaryDirectory(prefix="visits-packaged-") as out:
        package([PACKAGED], Path(out), project=trial.stage.project)
        template = expanded(json.loads(Path(out, f"{PACKAGED}.json").read_text(encoding="utf-8")))
    trial.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(template).encode())
    place = {"TemplateURL": f"{trial.client('s3').meta.endpoint_url}/{bucket}/{key}"}
    seen: list[str] = []

    def look(changes: Changes) -> None:
        kinds = Counter(change["ResourceChange"]["ResourceType"] for change in changes)
        wanted = ("AWS::Lambda::Alias", "AWS::Lambda::Permission", "AWS::CloudWatch::Alarm")
        seen.extend(f"{kinds[kind]} of {kind}" for kind in wanted if kinds[kind])
        raise CannotGoOn("it was looked at")

    told = {**told_to_app(trial.stage.cloudformation, TRIAL), "Stage": "trial-names"}
    try:
        bring_up_to_date(trial.stage.cloudformation, name, place, told, capabilities=CAPABILITIES, judge=look)
    except CannotGoOn as why:
        expect(len(seen) == 3, f"{why} {seen}")
    finally:
        trial.stage.cloudformation.delete_stack(StackName=name)
    return f"a change set takes {', '.join(seen)}"


def token_past_the_page(trial: Trial) -> str:
    """As somebody of the trial's own pool, by a client that is there for this only."""
    cognito = trial.client("cognito-idp")
    email = "past@visits.example"
    pool, password = a_person(trial, email)
    flows = {"ClientName": f"{PREFIX}-prove", "ExplicitAuthFlows": ["ALLOW_ADMIN_USER_PASSWORD_AUTH"]}
    client = cognito.create_user_pool_client(UserPoolId=pool.id, **flows)["UserPoolClient"]["ClientId"]
    token = cognito.admin_initiate_auth(
        UserPoolId=pool.id,
        ClientId=client,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )["AuthenticationResult"]["AccessToken"]
    # Keys that cannot be fetched would be a 503.
    return f"401 {trial.problem(401, 'GET', '/properties', Authorization=f'Bearer {token}')}"


CLAIMS: Final = (
    Claim(
        "An unknown address is our 404",
        "MISSING_AUTHENTICATION_TOKEN is answered where no method is, and may be given another status and body",
        f"{AWS}/apigateway/latest/developerguide/supported-gateway-response-types.html",
        unknown_route,
    ),
    Claim(
        "An unknown method is our 404",
        "the same type of answer, whether path or method is unknown",
        f"{AWS}/apigateway/latest/developerguide/supported-gateway-response-types.html",
        unknown_method,
    ),
    Claim(
        "A body of over 10 MB is our 413",
        "REQUEST_TOO_LARGE is answered beyond 10 MB",
        f"{AWS}/apigateway/latest/developerguide/supported-gateway-response-types.html",
        too_large,
        "its gateway takes bodies of any size",
    ),
    Claim(
        "A throttled call is our 429 with Retry-After",
        "THROTTLED is answered beyond a method's rate and burst",
        f"{AWS}/apigateway/latest/developerguide/api-gateway-request-throttling.html",
        throttled,
    ),
    Claim(
        "An authorizer that fails is our 503",
        "an exception of the function is AUTHORIZER_CONFIGURATION_ERROR",
        f"{AWS}/apigateway/latest/developerguide/supported-gateway-response-types.html",
        authorizer_fault,
    ),
    Claim(
        "An intake of 4,500,000 bytes is taken, one byte more is our 413",
        "an event of a synchronous call is 6 MB at most; a binary body is handed over in base64",
        f"{AWS}/lambda/latest/dg/gettingstarted-limits.html",
        large_intake,
    ),
    Claim(
        "No trace holds the query of a request",
        "Lambda's segments have no address; those of a traced stage of the gateway have",
        f"{AWS}/apigateway/latest/developerguide/apigateway-xray.html",
        traces,
        "it has no X-Ray",
    ),
    Claim(
        "Policies keep a function to its partitions",
        "dynamodb:LeadingKeys limits access to items by their partition key",
        f"{AWS}/amazondynamodb/latest/developerguide/specifying-conditions.html",
        leading_keys,
        "it hands no leading keys to policies",
    ),
    Claim(
        "A disabled mapping hands nothing out, and loses nothing",
        "a disabled event source mapping stops polling",
        f"{AWS}/lambda/latest/dg/invocation-eventsourcemapping.html",
        paused_mapping,
    ),
    Claim(
        "Reported failures come again, and the mapping recovers its speed",
        "after errors Lambda reduces the mapping's concurrency, and only failed messages become visible again",
        f"{AWS}/lambda/latest/dg/services-sqs-errorhandling.html",
        batch_failures,
        "it does not slow a mapping down",
    ),
    Claim(
        "Dead letters are counted with the right to read attributes alone",
        "GetQueueAttributes asks for its own permission; the numbers are right a minute after the last change",
        f"{AWS}/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html",
        dead_letters_counted,
    ),
    Claim(
        "The stream's mapping retries until a record expires",
        "MaximumRetryAttempts and MaximumRecordAgeInSeconds are -1 unless set: until the record expires",
        f"{AWS}/lambda/latest/dg/services-ddb-errors.html",
        stream_mapping,
        "its mappings of streams know neither",
    ),
    Claim(
        "An alias shifts by weight, and is taken back in the middle",
        "an alias routes to at most two versions by weight; without weights all goes to one",
        f"{AWS}/lambda/latest/dg/configuring-alias-routing.html",
        canary,
        "it ignores the weights of an alias",
    ),
    Claim(
        "A stack whose update fails goes back by itself",
        "when an update fails CloudFormation rolls back to the last known good state",
        f"{AWS}/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-monitor-stack.html",
        stack_goes_back,
        "it makes whatever it is given",
    ),
    Claim(
        "Read and write units are those of our formulas",
        "a unit writes 1 KB and reads 4 KB, a transaction takes two, an index takes its own",
        f"{AWS}/amazondynamodb/latest/developerguide/read-write-operations.html",
        charged,
    ),
    Claim(
        "Cold start and warm latency, as Lambda reports them",
        "REPORT lines have Init Duration and Duration; nothing is promised",
        f"{AWS}/lambda/latest/dg/lambda-runtime-environment.html",
        cold_start,
        "it reports no durations",
    ),
    Claim(
        "Packages' names of alias, permission and alarm are taken by CloudFormation",
        "properties and names are validated when a change set is made",
        f"{AWS}/AWSCloudFormation/latest/UserGuide/cfn-change-set-create-validate.html",
        packaged_names,
        "it has no CodeDeploy",
    ),
    Claim(
        "A token of the pool that was made past the hosted page lets nobody in",
        "tokens are signed by keys that the pool publishes, and have an API's scopes by the hosted page alone",
        f"{AWS}/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html",
        token_past_the_page,
    ),
    Claim(
        "People sign in by the hosted page, whose codes go to the client's address alone",
        "the page hands over a code, which the console's client exchanges for tokens",
        f"{AWS}/cognito/latest/developerguide/authorization-endpoint.html",
        signs_in,
    ),
    Claim(
        "SES tells of a mail's delivery and of its bounce by our tags",
        "events go to EventBridge with the mail's tags; the simulator's mailboxes deliver, or bounce for good",
        f"{AWS}/ses/latest/dg/send-an-email-from-console.html",
        told_of,
        "it sends no mail",
    ),
    Claim(
        "An invitation arrives by SES as it was written",
        "SendRawEmail sends the parts as they are",
        f"{AWS}/ses/latest/dg/send-email-raw.html",
        arrives,
        "it sends no mail",
    ),
    Claim(
        "CloudFront answers with our headers",
        "a response headers policy adds headers, whether a file comes from the cache or the origin",
        f"{AWS}/AmazonCloudFront/latest/DeveloperGuide/adding-response-headers.html",
        edge_headers,
        NO_EDGE,
    ),
    Claim(
        "CloudFront keeps assets, compressed, and asks for pages again",
        "Cache-Control of the origin says how long a file is kept, within the cache policy's limits",
        f"{AWS}/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html",
        edge_caches,
        NO_EDGE,
    ),
    Claim(
        "CloudFront hands /api on to the API and keeps nothing of it",
        "CachingDisabled keeps nothing, AllViewerExceptHostHeader hands on all headers but Host",
        f"{AWS}/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html",
        edge_api,
        NO_EDGE,
    ),
    Claim(
        "The first call after ten idle minutes is answered",
        "connections are closed by the other end while an instance is frozen",
        f"{AWS}/lambda/latest/dg/lambda-runtime-environment.html",
        idle,
        "it freezes no instance",
    ),
)
