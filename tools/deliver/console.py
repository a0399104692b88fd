"""The console on AWS: its stack, and its files in the stack's bucket.

What is live is what the pages at the root of the bucket say: they name their scripts and styles by hashes. So a release
puts those first, for ever; then its pages under a name made of what is in them; and last it copies the pages to the
root. Going back is that copy alone.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import httpx
from botocore.exceptions import ClientError

from tools.deliver.booking_page import Agency
from tools.deliver.cloudformation import bring_up_to_date, delete, describe, empty, outputs
from tools.deliver.console_headers import ASSETS, cache_control
from tools.deliver.data_stack import data_stack_of
from tools.failure import CannotGoOn
from tools.project import ROOT

TEMPLATE: Final = ROOT / ".chalice" / "console.json"
BUILT: Final = ROOT / "build" / "console"
CLIENT: Final = "Client"
"""Of the template."""
INDEX: Final = "index.html"
CONFIG: Final = "config.json"
TOLD_BY_DATA: Final = ("UserPool", "SignInDomain", "UploadsOrigin")
"""The data stack's outputs that the template asks for, by the same names."""
PATIENCE_SECONDS: Final = 60
"""For the edges of CloudFront, which hear of a new name a moment later."""

Look = Callable[[str], bool]
"""Whether the console at an address is well."""


def template() -> dict[str, Any]:
    """The console stack's template."""
    content: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    return content


def stack_of(stage: str) -> str:
    return f"visits-console-{stage}"


def config(issuer: str, client: str, domain: str) -> str:
    """The file that tells the console where people sign in (docs/console.md)."""
    told = {
        "authority": issuer,
        "clientId": client,
        "domain": domain,
        "scope": " ".join(template()["Resources"][CLIENT]["Properties"]["AllowedOAuthScopes"]),
    }
    return json.dumps(told, indent=2) + "\n"


@dataclass(frozen=True)
class Files:
    """The files of a console in its bucket."""

    s3: Any
    bucket: str

    def publish(self, folder: Path, config: str, agency: Agency) -> str:
        """Puts what was built there and makes it live; gives its name. Doing it again changes nothing."""
        built = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        files = {name: agency.named_in(name, content) for name, content in built.items()}
        files[CONFIG] = config.encode()
        pages = {name: content for name, content in files.items() if not name.startswith(ASSETS)}
        for name in sorted(files.keys() - pages.keys()):
            self._put_once(name, files[name])
        release = hashlib.sha256(json.dumps(sorted((n, c.hex()) for n, c in pages.items())).encode()).hexdigest()[:16]
        for name, content in pages.items():
            self._put(f"releases/{release}/{name}", name, content)
        self.go_to(release)
        return release

    def go_to(self, release: str) -> None:
        """Makes a release live that was published before: its pages, the one that people open last."""
        pages = self._pages(release)
        if INDEX not in pages:
            raise CannotGoOn(f"The console has no release {release}.")
        for name in sorted(pages, key=lambda name: (name == INDEX, name)):
            source = {"Bucket": self.bucket, "Key": f"releases/{release}/{name}"}
            self.s3.copy_object(
                Bucket=self.bucket,
                Key=name,
                CopySource=source,
                MetadataDirective="REPLACE",
                Metadata={"release": release},
                **_headers(name),
            )

    def live(self) -> str | None:
        """The name of the release that is live."""
        try:
            found: dict[str, str] = self.s3.head_object(Bucket=self.bucket, Key=INDEX)["Metadata"]
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        return found.get("release")

    def _pages(self, release: str) -> list[str]:
        prefix = f"releases/{release}/"
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [each["Key"].removeprefix(prefix) for each in listed.get("Contents", [])]

    def _put_once(self, name: str, content: bytes) -> None:
        try:
            self._put(name, name, content, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def _put(self, key: str, name: str, content: bytes, **condition: str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content, **_headers(name), **condition)


def _headers(name: str) -> dict[str, str]:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return {"ContentType": kind, "CacheControl": cache_control(name)}


@dataclass(frozen=True)
class Console:
    """What a release has of a stage's console: its template, its files as they were built, and whose they are."""

    template: Mapping[str, Any]
    folder: Path
    agency: Agency

    @classmethod
    def made_in(cls, folder: Path, stage: str) -> Console:
        """As `make package` made it. Raises CannotGoOn when there is none."""
        if not (folder / "console" / INDEX).is_file() or not (folder / "console.json").is_file():
            raise CannotGoOn(f"{folder / 'console'} is missing: make package creates it.")
        app = json.loads((folder / f"{stage}.json").read_text(encoding="utf-8"))
        functions = (resource.get("Properties", {}).get("Environment", {}) for resource in app["Resources"].values())
        agency = Agency.of({name: value for each in functions for name, value in each.get("Variables", {}).items()})
        return cls(json.loads((folder / "console.json").read_text(encoding="utf-8")), folder / "console", agency)

    @classmethod
    def of_this_folder(cls, stage: str) -> Console:
        """With what `make console` built. Raises CannotGoOn when it did not."""
        stages = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"]
        return cls(template(), built(), Agency.of(stages.get(stage, {}).get("environment_variables", {})))


def built() -> Path:
    """Where `make console` built the files. Raises CannotGoOn when it did not."""
    if not (BUILT / INDEX).is_file():
        raise CannotGoOn("The console is not built: make console builds it.")
    return BUILT


def release_console(
    console: Console, stage: str, api: str, wishes: Mapping[str, str], look: Look, role: str = "", session: Any = boto3
) -> str:
    """Brings the console's stack up to date, makes its files live, looks at it; gives its address.

    `api` is the address of the API. What an earlier release wished stays, a domain for example, whoever released it.
    Raises CannotGoOn, with the former files live again.
    """
    cloudformation = session.client("cloudformation")
    standing = describe(cloudformation, stack_of(stage)) or {}
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in standing.get("Parameters", [])}
    data = outputs(cloudformation, data_stack_of(stage))
    host = str(urlsplit(api).hostname)
    values = {**kept, **wishes, **{name: data[name] for name in TOLD_BY_DATA}, "Stage": stage, "ApiDomain": host}
    known = {name: value for name, value in values.items() if name in console.template["Parameters"]}
    body = {"TemplateBody": json.dumps(console.template)}
    made = bring_up_to_date(cloudformation, stack_of(stage), body, known, role=role)
    files = Files(session.client("s3"), made["Bucket"])
    before = files.live()
    sign_in = config(data["SignInIssuer"], made["ClientId"], data["SignInDomain"])
    published = files.publish(console.folder, sign_in, console.agency)
    if look(made["Url"]):
        return made["Url"]
    if before is None or before == published:
        raise CannotGoOn(f"The console at {made['Url']} does not answer, and there is none to go back to.")
    files.go_to(before)
    raise CannotGoOn(f"The console at {made['Url']} did not answer well, so the previous one is live again.")


def delete_console(cloudformation: Any, s3: Any, stage: str) -> bool:
    """Deletes the stack with all files, if there is one; whether there was."""
    bucket = outputs(cloudformation, stack_of(stage)).get("Bucket")
    if bucket is None:
        return False
    empty(s3, bucket)
    delete(cloudformation, stack_of(stage))
    return True


def answers(url: str) -> bool:
    """Whether the console's page, its configuration and the API are there."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            page, told, health = (httpx.get(f"{url}{path}") for path in ("/", f"/{CONFIG}", "/api/health"))
            policy = page.headers.get("Content-Security-Policy", "")
            if page.status_code == told.status_code == health.status_code == 200 and "trusted-types" in policy:
                return True
        except httpx.TransportError:
            pass
        time.sleep(2)
    return False


def origin_of(cloudformation: Any, stage: str) -> str:
    """Where the console is, if there is one: the data stack lets its pages upload sheets."""
    return outputs(cloudformation, stack_of(stage)).get("Url", "")
