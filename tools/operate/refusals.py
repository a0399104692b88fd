"""What AWS refuses, as a sentence that says what to do about it."""

import contextlib
from collections.abc import Iterator
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from tools.failure import CannotGoOn

EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
UNKNOWN: Final = frozenset(
    {
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
    }
)
FORBIDDEN: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
BUSY: Final = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
SIGN_IN: Final = "Sign in again (`aws sso login`), or set AWS_PROFILE to other credentials."


@contextlib.contextmanager
def told_in_words() -> Iterator[None]:
    """Whatever AWS or the way to it refuses while the block runs becomes CannotGoOn."""
    try:
        yield
    except (BotoCoreError, ClientError) as fault:
        raise CannotGoOn(sentence(fault)) from fault


def sentence(fault: Exception) -> str:
    match fault:
        case NoCredentialsError() | PartialCredentialsError():
            return "There are no AWS credentials here: set AWS_PROFILE, or sign in (`aws sso login`)."
        case ProfileNotFound():
            return f"{fault}: AWS_PROFILE is not in ~/.aws/config."
        case NoRegionError():
            return "Which region? Set AWS_DEFAULT_REGION, or set it in the profile."
        case TokenRetrievalError() | UnauthorizedSSOTokenError() | SSOTokenLoadError():
            return f"The sign-in has expired. {SIGN_IN}"
        case EndpointConnectionError() | ConnectTimeoutError() | ConnectionClosedError():
            return f"AWS cannot be reached: {fault} Check the network and the region."
        case ClientError():
            return _refusal(fault)
        case _:
            return f"Cannot use AWS ({type(fault).__name__}): {fault}"


def out_of_reach(what: str, stage: str, fault: Exception) -> str:
    """Why the table or queue of a stage cannot be worked with."""
    cause = fault if fault.__cause__ is None or isinstance(fault, BotoCoreError | ClientError) else fault.__cause__
    if stage == "local":
        hint = "is `make run` running? Otherwise set AWS_PORT=."
        return f"Cannot use the {what} of local: {hint} ({type(cause).__name__}: {cause})"
    told = sentence(cause) if isinstance(cause, BotoCoreError | ClientError) else f"({type(cause).__name__})"
    return f"Cannot use the {what} of {stage}. {told}"


def _refusal(fault: ClientError) -> str:
    code, said = fault.response["Error"].get("Code", "?"), fault.response["Error"].get("Message", "")
    if code in EXPIRED:
        return f"The credentials have expired. {SIGN_IN}"
    if code in UNKNOWN:
        return f"AWS does not know these credentials ({code}). {SIGN_IN}"
    if code in FORBIDDEN:
        return f"These credentials may not do {fault.operation_name}: {said} Request the permission or use others."
    if code in BUSY:
        return f"AWS throttles requests at the moment ({fault.operation_name}). Retry in a minute."
    return f"AWS rejects {fault.operation_name} ({code}): {said}"
