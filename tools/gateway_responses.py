"""`make policies`: what the gateway answers by itself, into `.chalice/resources.json` (for --merge-template).

They are part of the API's definition and no resources of their own: CloudFormation would make those after the stage's
deployment, which then would not have them. Bodies and headers come from the code, so that the gateway speaks as the
app does; a test compares. The template's key is `application/json`, the only one the gateway looks at; the header
says what it really is.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from chalice.app import Response

from chalicelib.domain.errors import StoreBusy
from chalicelib.edge.errors import BodyTooLarge, ResourceNotFound, Unauthenticated
from chalicelib.edge.problems import (
    internal_error,
    no_answer,
    no_answer_in_time,
    problem_for,
    problem_response,
    too_many_requests,
)
from chalicelib.edge.sizes import LARGEST_BODY
from devstack.emulator import ROOT

MERGE_TEMPLATE: Final = ROOT / ".chalice" / "resources.json"
EXTENSION: Final = "x-amazon-apigateway-gateway-responses"
REQUEST_ID: Final = "$context.requestId"

NO_ORIGIN: Final = {"Ref": "AWS::NoValue"}


def answers() -> Mapping[str, Response]:
    """The gateway's own answers by their type. Status and words differ from AWS's where ours say more."""
    unauthorized = problem_for(Unauthenticated())
    not_found = problem_for(ResourceNotFound())
    too_many = too_many_requests()
    broken = internal_error(REQUEST_ID)
    malformed = problem_response(
        400, "malformed-request", "Malformed request", "The gateway cannot read this request.", requestId=REQUEST_ID
    )
    return {
        "UNAUTHORIZED": unauthorized,
        # A key that the authorizer refuses is a bad key. A missing scope is told by the app, with 403.
        "ACCESS_DENIED": unauthorized,
        # An unknown address. With an Authorization header the gateway takes it for a signature and complains of that.
        "MISSING_AUTHENTICATION_TOKEN": not_found,
        "INVALID_SIGNATURE": not_found,
        "EXPIRED_TOKEN": not_found,
        "RESOURCE_NOT_FOUND": not_found,
        "AUTHORIZER_FAILURE": problem_for(StoreBusy()),
        "AUTHORIZER_CONFIGURATION_ERROR": broken,
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
        "WAF_FILTERED": problem_response(403, "filtered", "Filtered", "A rule of the operator's refuses this request."),
    }


def definition() -> dict[str, Any]:
    """The part of the API's definition that says it."""
    made = {kind: _entry(answer, str(answer.status_code)) for kind, answer in sorted(answers().items())}
    # Whatever else there is keeps its own status, which a document without `status` does not contradict.
    for kind, like in (("DEFAULT_4XX", "BAD_REQUEST_BODY"), ("DEFAULT_5XX", "API_CONFIGURATION_ERROR")):
        made[kind] = _entry(answers()[like], None)
    return made


def written(before: str) -> str:
    """The merge template with this part of it as it should be."""
    template = json.loads(before)
    body = template["Resources"]["RestAPI"]["Properties"].setdefault("DefinitionBody", {})
    body[EXTENSION] = definition()
    return json.dumps(template, indent=2) + "\n"


def _entry(answer: Response, status: str | None) -> dict[str, Any]:
    document = json.loads(answer.body)
    if status is None:
        del document["status"]
    headers: dict[str, Any] = {
        f"gatewayresponse.header.{name}": f"'{value}'" for name, value in sorted(answer.headers.items())
    }
    # A browser is told of the gateway's refusals only when the stage names an origin, and the first it names.
    headers |= {
        "gatewayresponse.header.Access-Control-Allow-Origin": _if_origin({"Fn::Sub": "'${CorsOrigin}'"}),
        "gatewayresponse.header.Vary": _if_origin("'Origin'"),
    }
    return {
        **({"statusCode": status} if status else {}),
        "responseParameters": headers,
        "responseTemplates": {"application/json": json.dumps(document, separators=(",", ":"))},
    }


def _if_origin(value: object) -> dict[str, Any]:
    return {"Fn::If": ["NamesOrigin", value, NO_ORIGIN]}


def main(file: Path = MERGE_TEMPLATE) -> None:
    file.write_text(written(file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
