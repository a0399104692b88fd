"""The packaged app on the embedded AWS, behind its gateway and under IAM: who gets in, what works, and what for.

Each statement of the policies is taken away in turn, and `NEEDED_BY` is held against what really fails without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx
import pytest
from botocore.exceptions import ClientError

import app as entry
from chalicelib.functions import FUNCTIONS, Function
from tests.cicd.iam import Question, decided
from tests.e2e import checks
from tests.e2e.caller import Caller, until
from tests.e2e.checks import ALL_DAY, CHECKS, Insider, announced, uploaded, visit
from tests.e2e.deployment import STACK, STAGE, Deployment, caller
from tests.integration.access import (
    SCOPES,
    STRANGE_PEOPLE,
    STRANGERS,
    Headers,
    access_to,
    bearer,
    call,
    check_door,
    headers_of,
)
from tests.integration.intake import partner_message
from tools.generate.policies import policy

KEYS_HERE: Final = [*STRANGERS, *STRANGE_PEOPLE[:2], *SCOPES]
"""The stage has no pool of people, so it takes no token of the tests; test_access_matrix.py has them."""

Statement = tuple[str, str]
"""A function and the Sid of a statement in its policy."""

ROUTES: Final = sorted(entry.required)

STATEMENTS: Final = [
    (function, statement["Sid"])
    for function in FUNCTIONS
    for statement in policy(function, STAGE)["Statement"]
    if not all(action.startswith(("logs:", "xray:")) for action in statement["Action"])
]
DENIED_BY_KEYS: Final = [("api_handler", "NoApiKeys"), ("work_off_queue", "NoApiKeys")]
"""Denials by the leading keys of an item, which the emulator cannot evaluate."""
LAMBDAS_OWN: Final = [
    ("work_off_queue", "Queue"),
    ("relay", "Stream"),
    ("deliver", "WebhookQueue"),
    ("notify", "NoticeQueue"),
    ("read_sheet", "SheetQueue"),
]
"""What Lambda hands out messages and records with, in a function's name; the emulator does not ask for it."""
BY_THE_MINUTE: Final = [("relay", "Lists"), ("relay", "WebhookQueue"), ("remind", "WebhookQueue")]
"""Either wakes a webhook where the other does not; test_policies.py shows that both do."""
RECOGNITION: Final = ("read_sheet", "Recognition")
"""The emulator has no Textract, and what stands in for it asks nobody for rights: the evaluator alone is asked."""
LISTED: Final = [("api_handler", "SheetsListed"), ("read_sheet", "SheetsListed")]
"""S3 says of an object that is not there that it is not, to those who may list; the emulator says so to everybody."""
NOT_PROVABLE_HERE: Final = [
    each for each in STATEMENTS if each in (*DENIED_BY_KEYS, *LAMBDAS_OWN, *BY_THE_MINUTE, *LISTED, RECOGNITION)
]
"""Nothing else may be here."""
NEEDED_BY: Final[Mapping[Statement, list[str]]] = {
    ("api_handler", "Table"): [*CHECKS],
    ("api_handler", "Indexes"): ["register", "list", "export", "feed", "events"],
    ("api_handler", "Queue"): ["intake"],
    ("api_handler", "WebhookQueue"): ["events"],
    ("api_handler", "DeadLetters"): ["dead_letters"],
    ("api_handler", "NoApiKeys"): [],  # test_leading_keys.py
    ("bearer_key", "ApiKeys"): [each for each in CHECKS if each != "look"],
    ("work_off_queue", "Table"): ["intake", "acknowledge"],
    ("work_off_queue", "Queue"): [],  # test_policies.py
    ("work_off_queue", "NoApiKeys"): [],  # test_leading_keys.py
    ("relay", "Table"): ["events", "notices"],
    ("relay", "Lists"): [],  # test_policies.py: within a minute `remind` wakes webhooks too
    ("relay", "Stream"): [],  # test_policies.py
    ("relay", "WebhookQueue"): [],  # test_policies.py: `remind` wakes webhooks too
    ("relay", "NoticeQueue"): ["notices"],
    ("deliver", "Table"): ["events"],
    ("deliver", "TableChanges"): ["events"],
    ("deliver", "WebhookQueue"): [],  # test_policies.py
    ("notify", "Table"): ["notices"],
    ("notify", "TableChanges"): ["notices"],
    ("notify", "NoticeQueue"): [],  # test_policies.py
    ("notify", "Mail"): ["notices"],
    ("remind", "Table"): ["remind"],
    ("remind", "TableChanges"): ["remind"],
    ("remind", "Lists"): ["remind"],
    ("remind", "WebhookQueue"): [],  # test_policies.py: here no webhook is left behind but by chance
    ("remind", "NoticeQueue"): ["remind"],
    ("api_handler", "SheetsListed"): [],  # test_policies.py
    ("api_handler", "SheetsUploads"): ["sheets", "pictures"],
    ("api_handler", "SheetsClean"): ["sheets", "pictures"],
    ("api_handler", "SheetsAnswers"): ["pictures", "sheets"],
    ("read_sheet", "Table"): ["sheets", "pictures"],
    ("read_sheet", "Lists"): ["sheets", "pictures"],
    ("read_sheet", "SheetQueue"): [],  # test_policies.py
    ("read_sheet", "SheetsListed"): [],  # test_policies.py
    ("read_sheet", "SheetsUploads"): ["sheets", "pictures"],
    ("read_sheet", "SheetsClean"): ["sheets", "pictures"],
    ("read_sheet", "SheetsAnswers"): ["pictures"],
    ("read_sheet", "Recognition"): [],  # below, by the evaluator alone
}
"""Checks that fail without a statement."""


# Who gets in


@pytest.fixture(scope="module")
def headers(deployment: Deployment) -> dict[str, Headers]:
    return headers_of(deployment.client("dynamodb"), STACK)


@pytest.fixture(scope="module")
def stranger(deployment: Deployment) -> Iterator[httpx.Client]:
    with caller(deployment, {}) as http:
        yield http


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_of_the_gateway_opens_to_its_scope_and_to_nothing_else(
    stranger: httpx.Client, headers: dict[str, Headers], method: str, path: str
) -> None:
    wanted = entry.required[method, path]
    # Whom the authorizer refuses it refuses everywhere: one route for each kind of them. At the others, who has no key,
    # who has the right one and who has another; test_access_matrix.py has every key at every route.
    another = next(scope for scope in SCOPES if scope != wanted)
    for key in KEYS_HERE if path == "/visits" else sorted({"no key", another, wanted} & headers.keys()):
        answer = call(stranger, method, path, headers[key])
        check_door(answer, wanted, key)
        assert answer.status_code < 500
        assert answer.status_code < 400 or answer.headers["Content-Type"] == "application/problem+json"


# What works


def failing(deployment: Deployment, *names: str) -> Mapping[str, AssertionError]:
    """Those of the checks that fail, and why."""
    found: dict[str, AssertionError] = {}
    access = access_to(deployment.client("dynamodb"), STACK)
    for name in names or CHECKS:
        deployment.sqs.purge_queue(QueueUrl=deployment.queue_url)
        # A new key for each: what the gateway remembers of another one does not help it.
        with caller(deployment, bearer(access, name=name)) as http:
            try:
                CHECKS[name](Insider(deployment, http))
            except AssertionError as why:
                found[name] = why
    return found


def test_the_policies_suffice_for_everything(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: set[tuple[str, str]] = set()
    send = Caller.answer

    def answer(self: Caller, status: int, method: str, path: str, *more: object, **rest: object) -> httpx.Response:
        answered = send(self, status, method, path, *more, **rest)
        if answered.is_success:
            taken.add((method, answered.request.url.path.removeprefix("/api")))
        return answered

    monkeypatch.setattr(Caller, "answer", answer)
    assert failing(deployment) == {}
    for method, path in (route for route in ROUTES if route[0] != "HEAD"):
        shape = re.sub(r"\{\w+\}", "[^/]+", path)
        assert any(m == method and re.fullmatch(shape, p) for m, p in taken), f"no check takes {method} {path}"


def test_what_fails_for_good_ends_among_the_dead_letters_and_does_not_hold_up_what_follows(
    deployment: Deployment,
) -> None:
    for url in (deployment.queue_url, deployment.dead_letters_url):
        deployment.sqs.purge_queue(QueueUrl=url)
    # Alone: a message that the worker is still at after a second would be handed out again, and counted.
    with deployment.handing_out_soon_again():
        deployment.sqs.send_message(QueueUrl=deployment.queue_url, MessageBody="{")
        until(lambda: deployment.messages(dead=True) == 1, "the message that nobody can read")
    with caller(deployment, bearer(access_to(deployment.client("dynamodb"), STACK), name="admin")) as http:
        given_up = Caller(http).call(200, "GET", "/dead-letters")["items"]
    assert {each["queue"] for each in given_up if each["count"]} == {"intakes"}
    (letter,) = deployment.sqs.receive_message(QueueUrl=deployment.dead_letters_url)["Messages"]
    assert letter["Body"] == "{"
    key = bearer(access_to(deployment.client("dynamodb"), STACK), name="partner")
    with caller(deployment, key) as http:
        partner = Caller(http)
        house = partner.house()
        deployment.sqs.send_message(QueueUrl=deployment.queue_url, MessageBody=partner_message(visit(house, 9)))
        until(lambda: deployment.messages() == 0, "the queue")
        assert partner.call(200, "GET", "/visits", params={**ALL_DAY, "propertyId": house})["items"]


def test_a_form_takes_what_was_announced_and_nothing_else(deployment: Deployment) -> None:
    content = b"propertyId,date,time\n"
    with caller(deployment, bearer(access_to(deployment.client("dynamodb"), STACK), name="forms")) as http:
        sheet, other = (announced(Caller(http), content, "text/csv") for _ in range(2))
        form, elsewhere = sheet["upload"], other["upload"]["fields"]
        assert uploaded(form, content + b"more") == 400
        assert uploaded(form, b"") == 400
        assert uploaded(form, content, **{"Content-Type": "text/html"}) == 403
        assert uploaded(form, content, key=elsewhere["key"]) == 403
        assert uploaded(form, content, key=f"clean/{sheet['id']}") == 403
        assert uploaded(form, content, **{"x-amz-signature": "0" * 64}) == 403
        assert uploaded(form, content, policy=elsewhere["policy"]) == 403
        assert uploaded({**form, "fields": {"key": form["fields"]["key"]}}, content) == 403, "nobody may without a form"
        for path in (f"/sheets/{sheet['id']}", f"/sheets/{other['id']}"):
            assert deployment.stored(path) == []
            assert Caller(http).call(200, "GET", path)["status"] == "awaiting-upload"


# What each statement is for


def test_every_statement_is_in_the_table_and_needed_by_some_check_or_named_as_not_provable() -> None:
    assert NEEDED_BY.keys() == set(STATEMENTS)
    assert [statement for statement in STATEMENTS if not NEEDED_BY[statement]] == NOT_PROVABLE_HERE


@pytest.mark.parametrize(("function", "sid"), [each for each in STATEMENTS if each not in NOT_PROVABLE_HERE])
def test_without_a_statement_a_check_fails(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, function: str, sid: str
) -> None:
    """One that needs it, for time's sake; with it, it has passed in the test above.

    A function that nobody waits for tells that it was denied something; what an API does not do is done again.
    """
    needed, denied = NEEDED_BY[function, sid][0], deployment.denials(function)

    def until_denied(done: Callable[[], bool], what: str, failed: Callable[[], bool] = lambda: False) -> None:
        until(done, what, lambda: failed() or deployment.denials(function) > denied)

    with monkeypatch.context() as impatience, deployment.without(function, sid):
        impatience.setattr(checks, "until", until_denied)
        assert failing(deployment, needed)
    assert deployment.denials(function) > denied or failing(deployment, needed) == {}, "it was not the statement"


def test_the_worker_may_do_in_the_packaged_stage_what_it_needs_in_any() -> None:
    """Where `chalice deploy` made the stage it deletes messages itself: there `test_policies.py` proves the rights."""
    packaged, plain = (
        [it for it in policy(Function.WORKER, stage)["Statement"] if it["Sid"] == "Queue"] for stage in (STAGE, "dev")
    )
    assert [it["Action"] for it in packaged] == [it["Action"] for it in plain]


def test_only_the_reader_may_have_pictures_recognised(deployment: Deployment) -> None:
    """Nothing here asks for the right: the evaluator is asked about it, with the statement and without."""
    policies: dict[str, list[Any]] = {name: [deployment.policy(name)[1]] for name in FUNCTIONS}
    (whole,) = policies[Function.READER]
    policies["without"] = [whole | {"Statement": [it for it in whole["Statement"] if it["Sid"] != RECOGNITION[1]]}]
    questions = [Question(name, "textract:AnalyzeDocument", "*") for name in policies]
    assert [it.role for it, yes in decided(policies, questions).items() if yes] == [Function.READER]


@pytest.mark.parametrize(("function", "sid"), DENIED_BY_KEYS)
def test_what_cannot_be_proven_here_is_a_denial_by_leading_keys(
    deployment: Deployment, function: str, sid: str
) -> None:
    """The emulator lets through what the statement denies. Once it does not, the statement belongs into the table."""
    _, whole = deployment.policy(function)
    (statement,) = [statement for statement in whole["Statement"] if statement["Sid"] == sid]
    assert statement["Effect"] == "Deny"
    assert [list(keys) for keys in statement["Condition"].values()] == [["dynamodb:LeadingKeys"]]
    key_item = {"pk": {"S": "K#0123456789abcdef"}, "sk": {"S": "K"}}
    with deployment.as_somebody_with(whole) as dynamodb:
        dynamodb.get_item(TableName=STACK, Key=key_item)
        # It does look at the policy.
        with pytest.raises(ClientError, match="AccessDenied"):
            dynamodb.delete_item(TableName=STACK, Key=key_item)
