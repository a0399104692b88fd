"""`make policies`: what the gateway answers by itself, into `.chalice/resources.json` (for --merge-template).

They are part of the API's definition and no resources of their own: CloudFormation would make those after the stage's
deployment, which then would not have them. Bodies and headers come from the code, so that the gateway speaks as the
app does; a test compares. The template's key is `application/json`, the only one the gateway looks at; the header
says what it really is.

Which origin they name differs by stage, so `make package` and `make deploy` put it in: the first of CORS_ORIGINS in
`.chalice/config.json`, which the app reads too.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chalice.app import Response

from chalicelib.domain.errors import StoreBusy
from chalicelib.http.errors import BodyTooLarge, ResourceNotFound, Unauthenticated
from chalicelib.http.problems import (
    internal_error,
    no_answer,
    no_answer_in_time,
    problem_for,
    problem_response,
    too_many_requests,
)
from chalicelib.http.sizes import LARGEST_BODY
from tools.failure import CannotGoOn
from tools.project import ROOT

MERGE_TEMPLATE: Final = ROOT / ".chalice" / "resources.json"
EXTENSION: Final = "x-amazon-apigateway-gateway-responses"
REQUEST_ID: Final = "$context.requestId"

ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?")
"""As browsers tell it: no path, not even a slash."""


def answers() -> Mapping[str, Response]:
    """The gateway's own answers by their type. Status and words differ from AWS's where ours say more."""
    unauthorized = problem_for(Unauthenticated())
    not_found = problem_for(ResourceNotFound())
    too_many = too_many_requests()
    unchecked = problem_for(StoreBusy())
    broken = internal_error(REQUEST_ID)
    malformed = problem_response(
        400, "malformed-request", "Malformed request", "The gateway cannot read this request.", requestId=REQUEST_ID
    )
    return {
        "UNAUTHORIZED": unauthorized,
        # A key that the authorizer refuses is a bad key. A missing scope is told by the app, with 403.
        "ACCESS_DENIED": unauthorized,
        # A usage plan's key, which no method of ours asks for.
        "INVALID_API_KEY": unauthorized,
        # An unknown address. With an Authorization header the gateway takes it for a signature and complains of that.
        "MISSING_AUTHENTICATION_TOKEN": not_found,
        "INVALID_SIGNATURE": not_found,
        "EXPIRED_TOKEN": not_found,
        "RESOURCE_NOT_FOUND": not_found,
        # The key could not be checked: the authorizer raised, timed out, was throttled or gave no policy. The gateway
        # says the one or the other of these.
        "AUTHORIZER_FAILURE": unchecked,
        "AUTHORIZER_CONFIGURATION_ERROR": unchecked,
        "API_CONFIGURATION_ERROR": broken,
        "THROTTLED": too_many,
        "QUOTA_EXCEEDED": too_many,
        # Beyond its own 10 MB; and what a function cannot take, which is less.
        "REQUEST_TOO_LARGE": problem_for(BodyTooLarge(LARGEST_BODY)),
        "UNSUPPORTED_MEDIA_TYPE": problem_response(
            415, "unsupported-media-type", "Unsupported media type", "Send the body as application/json."
        ),
        "BAD_REQUEST_BODY": malformed,
        "BAD_REQUEST_PARAMETERS": malformed,
        "INTEGRATION_FAILURE": no_answer(REQUEST_ID),
        "INTEGRATION_TIMEOUT": no_answer_in_time(REQUEST_ID),
        "WAF_FILTERED": problem_response(403, "filtered", "Filtered", "Blocked by a rule of the operator."),
    }


def named_origin(origins: str) -> str:
    """Of a stage's CORS_ORIGINS the one that the gateway names: the first, or none. Raises CannotGoOn."""
    listed = [origin.strip() for origin in origins.split(",") if origin.strip()]
    for origin in listed:
        if not ORIGIN.fullmatch(origin):
            raise CannotGoOn(
                f"CORS_ORIGINS in .chalice/config.json has {origin!r}, which is not an origin: write https://host, "
                "in lower case and without a path."
            )
    return listed[0] if listed else ""


def definition(origin: str = "") -> dict[str, Any]:
    """The part of the API's definition that says it, for a stage that names the origin."""
    made = {kind: _entry(answer, str(answer.status_code), origin) for kind, answer in sorted(answers().items())}
    # Whatever else there is keeps its own status, which a document without `status` does not contradict.
    for kind, like in (("DEFAULT_4XX", "BAD_REQUEST_BODY"), ("DEFAULT_5XX", "API_CONFIGURATION_ERROR")):
        made[kind] = _entry(answers()[like], None, origin)
    return made


def written(before: str) -> str:
    """The merge template with this part of it as it should be."""
    template = json.loads(before)
    body = template["Resources"]["RestAPI"]["Properties"].setdefault("DefinitionBody", {})
    body[EXTENSION] = definition()
    return json.dumps(template, indent=2) + "\n"


def _entry(answer: Response, status: str | None, origin: str) -> dict[str, Any]:
    document = json.loads(answer.body)
    if status is None:
        del document["status"]
    cors = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin else {}
    headers = sorted({**answer.headers, **cors}.items())
    return {
        **({"statusCode": status} if status else {}),
        "responseParameters": {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in headers},
        "responseTemplates": {"application/json": json.dumps(document, separators=(",", ":"))},
    }


def main(file: Path = MERGE_TEMPLATE) -> None:
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
