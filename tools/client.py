"""A client of the API: for the tools that load data, and for the tests of a deployment."""

import random
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx

from tools.failure import CannotGoOn

TRIES: Final = 8
LONGEST_WAIT_SECONDS: Final = 30
LATER: Final = (429, 503)
SAFE: Final = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE")


class Patient(httpx.Client):
    """Sends a request again that was told to come back later, or whose answer was lost, as every caller should."""

    def __init__(
        self, url: str, key: str | None = None, agent: str = "visits", tries: int = TRIES, **more: Any
    ) -> None:
        # A proxy that the environment names cannot reach this machine's own loopback.
        own = httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")
        headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {key}"} if key else {})
        # Nor does it need certificates, which take 40 ms to load.
        super().__init__(base_url=url, headers=headers, trust_env=not own, verify=not own, **{"timeout": 30, **more})
        self._tries = tries

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        for attempt in range(self._tries - 1):
            wait = random.uniform(0, 0.2 * 2**attempt)  # full jitter
            try:
                answer = super().send(request, **options)
            except httpx.RequestError as fault:
                if not _may_come_again(request, fault):
                    raise
            else:
                if answer.status_code not in LATER:
                    return answer
                wait = max(wait, retry_after(answer))
            time.sleep(wait)
        return super().send(request, **options)


def retry_after(answer: httpx.Response) -> float:
    """In how many seconds to come back, as the answer says."""
    said = answer.headers.get("Retry-After", "")
    return min(float(said) if said.isdecimal() else 0, LONGEST_WAIT_SECONDS)


def _may_come_again(request: httpx.Request, fault: httpx.RequestError) -> bool:
    """Whether sending it twice is as good as once: it was not sent, or says so itself."""
    unsent = isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout)
    return unsent or request.method in SAFE or "Idempotency-Key" in request.headers


class Client:
    """The API for a tool: its refusals are CannotGoOn."""

    def __init__(self, url: str, key: str | None = None, agent: str = "visits") -> None:
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as why:
            raise CannotGoOn(f"'{url}' is not a URL: {why}") from why
        if address.scheme not in ("http", "https") or not address.host:
            raise CannotGoOn(f"'{url}' is not a URL: https:// or the host is missing.")
        self._http = Patient(url, key, agent)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        document: dict[str, Any] = self.send("GET", path, params=query).json()
        return document

    def pages(self, path: str, **query: str | int) -> Iterator[dict[str, Any]]:
        """All items of a list, page by page."""
        page = self.get(path, **query)
        yield from page["items"]
        while page["nextCursor"]:
            page = self.get(path, **query, cursor=page["nextCursor"])
            yield from page["items"]

    def send(
        self,
        method: str,
        path: str,
        json: object = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str | int] | None = None,
        expected: tuple[int, ...] = (),
    ) -> httpx.Response:
        """Sends until it is answered. Refusals other than the expected ones are CannotGoOn."""
        try:
            answer = self._http.request(method, path, json=json, headers=headers, params=params)
        except httpx.RequestError as fault:
            raise CannotGoOn(f"{self._http.base_url} does not answer: {fault}") from fault
        if answer.is_success or answer.status_code in expected:
            return answer
        if answer.status_code in (401, 403):
            raise CannotGoOn(f"{self._http.base_url} requires a key with the scope write: KEY=<api key>")
        raise CannotGoOn(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
