"""What API Gateway does between HTTP and the app, as far as a caller can tell.

It finds the route, asks the authorizer, calls the app with a Lambda event, and answers by itself whatever
must not reach the app, with the same problem documents as the gateway responses that `make deploy` sets up.
`chalice local` answers those outside the app in Chalice's own words, so it is not used for this.
"""

import base64
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ForbiddenError,
    LambdaContext,
    LocalGatewayAuthorizer,
    NotAuthorizedError,
)

from chalicelib.domain.errors import StoreBusy
from chalicelib.http.errors import BodyTooLarge, Unauthenticated
from chalicelib.http.problems import problem_for, problem_response
from chalicelib.http.sizes import LARGEST_BODY, MOST_BYTES_OF_PAYLOAD
from tools.project import HOST

LONGEST_RUN_SECONDS = 900

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One HTTP request, well-formed and completely read. Header names are lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, list[str]]
    body: bytes
    stage: str = ""
    """What stands before the path in the address: a stage of the gateway, or nothing."""
    caller: str = HOST
    """The address that it came from."""


@dataclass(frozen=True)
class Answer:
    """One HTTP response. It has a body of its own also where HTTP forbids to send it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Gateway(Protocol):
    """Whatever answers calls: the app behind its gateway, or the word that the app does not load."""

    def answer(self, call: Call) -> Answer: ...


class AppGateway:
    """Answers calls with a Chalice app."""

    def __init__(self, app: Chalice, config: Config) -> None:
        self._app = app
        self._config = config
        self._routes = Routes(app.routes)
        self._authorizer = LocalGatewayAuthorizer(app)

    def answer(self, call: Call) -> Answer:
        context = LambdaContext(
            function_name=self._config.function_name,
            memory_size=self._config.lambda_memory_size or 128,
            max_runtime_ms=(self._config.lambda_timeout or LONGEST_RUN_SECONDS) * 1000,
        )
        try:
            answer = self._answer(call, context)
        except Exception:
            # The app maps its own errors. This one was raised around it, while the answer was serialised. The terminal
            # gets the trace, the caller nothing of the inside.
            log.exception("%s %s failed outside the app", call.method, call.path)
            response = problem_response(
                500,
                "internal-error",
                "Internal error",
                "Something went wrong on our side. Quote the request id when you report it.",
                requestId=context.aws_request_id,
            )
            answer = _from_lambda(response.to_dict())
        return Answer(answer.status, [*answer.headers, ("x-amzn-RequestId", context.aws_request_id)], answer.body)

    def _answer(self, call: Call, context: LambdaContext) -> Answer:
        match = self._routes.match(call.path)
        if match is None:
            return problem(404, "not-found", "Not found", "Nothing exists at this address.")
        methods = self._app.routes[match.route]
        if call.method not in methods:
            return self._unrouted(call.method, methods)
        event = event_of(call, match, context)
        try:
            event, _ = self._authorizer.authorize(call.path, event, context)
        except (NotAuthorizedError, ForbiddenError):
            # The deployed gateway turns ACCESS_DENIED into 401 too: a bad key is not a missing permission.
            return _from_lambda(problem_for(Unauthenticated()).to_dict())
        except Exception:
            # The deployed gateway's AUTHORIZER_CONFIGURATION_ERROR: the key could not be checked.
            log.exception("the authorizer failed")
            return _from_lambda(problem_for(StoreBusy()).to_dict())
        if _payload_bytes(event) > MOST_BYTES_OF_PAYLOAD:
            return _from_lambda(problem_for(BodyTooLarge(LARGEST_BODY)).to_dict())
        answer = self._app(event, context)
        if _payload_bytes(answer) > MOST_BYTES_OF_PAYLOAD:
            raise ValueError("The response exceeds what a Lambda function can return.")
        return _from_lambda(answer)

    def _unrouted(self, method: str, methods: Mapping[str, Any]) -> Answer:
        """A method that the address does not have. A preflight, where the stage allows any, is a route of the app."""
        allow = ", ".join(methods)
        return problem(
            405,
            "method-not-allowed",
            "Method not allowed",
            "This resource does not support that method.",
            headers={"Allow": allow},
        )


class BrokenApp:
    """Answers while the app does not load, so that an editing slip does not end the stack."""

    def answer(self, call: Call) -> Answer:
        return problem(
            503,
            "app-does-not-load",
            "The app does not load",
            "The app has an error, shown in its terminal. It reloads when a file changes.",
            headers={"Retry-After": "1"},
        )


@dataclass(frozen=True)
class Match:
    """A route that fits a path, and what its variable segments are."""

    route: str
    captured: dict[str, str]


class Routes:
    """Finds the route of a path as API Gateway does: fixed segments before variable ones, none empty."""

    def __init__(self, routes: Iterable[str]) -> None:
        # '{' sorts after letters and digits, so fixed segments come first.
        self._routes = [(route, _segments(route)) for route in sorted(routes)]

    def match(self, path: str) -> Match | None:
        segments = _segments(path)
        if segments != [""] and "" in segments:
            return None
        for route, pattern in self._routes:
            if len(pattern) == len(segments):
                pairs = list(zip(pattern, segments, strict=True))
                if all(_is_variable(expected) or expected == given for expected, given in pairs):
                    return Match(route, {e[1:-1]: given for e, given in pairs if _is_variable(e)})
        return None


def problem(status: int, slug: str, title: str, detail: str, headers: dict[str, str] | None = None) -> Answer:
    """A problem document, in the app's own shape."""
    return _from_lambda(problem_response(status, slug, title, detail, headers).to_dict())


def _segments(path: str) -> list[str]:
    """The path's parts. API Gateway drops one trailing slash."""
    return path.removeprefix("/").removesuffix("/").split("/")


def _is_variable(segment: str) -> bool:
    return segment.startswith("{") and segment.endswith("}")


def event_of(call: Call, match: Match, context: LambdaContext) -> dict[str, Any]:
    """The Lambda event of a proxy integration; the body in base64, as the media types `*/*` make it."""
    return {
        "resource": match.route,
        "path": call.path,
        "httpMethod": call.method,
        "requestContext": {
            "requestId": context.aws_request_id,
            "httpMethod": call.method,
            "resourcePath": match.route,
            "path": call.stage + call.path,
            "identity": {"sourceIp": call.caller},
        },
        # The gateway hands on the last of several equal headers.
        "headers": {name: values[-1] for name, values in call.headers.items()},
        "multiValueHeaders": dict(call.headers),
        "pathParameters": match.captured,
        "multiValueQueryStringParameters": parse_qs(call.query, keep_blank_values=True) or None,
        "stageVariables": {},
        "body": base64.b64encode(call.body).decode("ascii") if call.body else None,
        "isBase64Encoded": bool(call.body),
    }


def _payload_bytes(payload: Mapping[str, Any]) -> int:
    """How large Lambda finds it: events and answers are JSON."""
    return len(json.dumps(payload))


def _from_lambda(response: Mapping[str, Any]) -> Answer:
    """An app's answer as HTTP. Lambda returns JSON, so a body that is not text is refused here as there."""
    body = response["body"]
    if response.get("isBase64Encoded"):
        content = base64.b64decode(body)
    elif isinstance(body, str):
        content = body.encode()
    elif body is None:
        content = b""
    else:
        raise TypeError(f"The response body is {type(body).__name__}; Lambda can only return text.")
    headers = [(name, str(value)) for name, value in response["headers"].items()]
    for name, values in (response.get("multiValueHeaders") or {}).items():
        headers += [(name, str(value)) for value in values]
    return Answer(int(response["statusCode"]), headers, content)
