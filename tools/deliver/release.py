"""`make release STAGE=beta`: deploys what `make package` made, tries it, and takes it back if it does not hold.

The data stack, then the app, each by change set. Then the smoke test; if that fails, the app that was there before is
deployed again. Then the console; if that does not answer, it goes back, and the app after it. The data stack is never
taken back (`tools/deliver/data_changes.py`). This is what GitLab and GitHub run, CodePipeline in other Regions,
and a person who has neither.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import boto3

from tools.deliver.cloudformation import bring_up_to_date, deployed_template, describe, outputs, pairs
from tools.deliver.console import Console, Look, answers, origin_of, release_console
from tools.deliver.data_stack import bring_data_up_to_date, told_to_app
from tools.deliver.network import stack_of as network_stack_of
from tools.deliver.package import CODE, ZIP, uploaded
from tools.failure import CannotGoOn
from tools.operate.refusals import told_in_words
from tools.project import ROOT

TEMPLATES: Final = "templates/{}.json"
CAPABILITIES: Final = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
AT_ONCE: Final = {"DeploymentType": "AllAtOnce"}
"""Going back does not dawdle."""

Deployed = tuple[Mapping[str, Any], Mapping[str, str]]
"""Template and parameters of a stack."""

Smoke = Callable[[str], bool]
"""Whether what answers at an address is well."""


@dataclass(frozen=True)
class Package:
    """What `make package` made for one stage."""

    folder: Path
    stage: str

    @classmethod
    def made_in(cls, folder: Path, stage: str) -> Package:
        """Raises CannotGoOn when there is none."""
        for name in (ZIP, "data.json", f"{stage}.json"):
            if not (folder / name).is_file():
                raise CannotGoOn(f"{folder / name} is missing: make package STAGE={stage} creates it.")
        return cls(folder, stage)

    @property
    def data(self) -> dict[str, Any]:
        """The data stack's template."""
        return self._read("data.json")

    def app(self, code: Mapping[str, str]) -> Mapping[str, Any]:
        """The app's template; its code is where it says here. Lambda fetches none from another Region's bucket."""
        template = self._read(f"{self.stage}.json")
        for resource in template["Resources"].values():
            properties = resource.get("Properties", {})
            if "CodeUri" in properties:
                properties["CodeUri"] = code
        return template

    @property
    def zip(self) -> bytes:
        return (self.folder / ZIP).read_bytes()

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content


class Addresses(NamedTuple):
    """Where a release answers."""

    api: str
    console: str


@dataclass(frozen=True)
class Account:
    """Where to: what the stack of release.json has made in the account that the credentials are for."""

    bucket: str
    data_role: str
    app_role: str
    console_role: str
    boundary: str
    alarms: str = ""
    """The topic that is told of alarms: one of the Region, since no other can be."""

    @classmethod
    def prepared_for(cls, stage: str) -> Account:
        made = outputs(boto3.client("cloudformation"), stack_of(stage))
        if not made:
            raise CannotGoOn(
                f"This account is not prepared for releases of {stage}: the stack {stack_of(stage)} is missing. "
                "docs/delivery.md says how to create it from release.json."
            )
        return cls(
            bucket=made["Bucket"],
            data_role=made["DataRoleArn"],
            app_role=made["AppRoleArn"],
            console_role=made["ConsoleRoleArn"],
            boundary=made["BoundaryArn"],
            alarms=made.get("AlarmTopicArn", ""),
        )

    def deploy(self, stack: str, template: Mapping[str, Any], parameters: Mapping[str, str]) -> Mapping[str, str]:
        """Brings the app's stack up to date, by the bucket because its template is too long for a call."""
        place = uploaded(json.dumps(template).encode(), self.bucket, TEMPLATES)
        address = f"{boto3.client('s3').meta.endpoint_url}/{place['Bucket']}/{place['Key']}"
        return bring_up_to_date(
            boto3.client("cloudformation"),
            stack,
            {"TemplateURL": address},
            parameters,
            capabilities=CAPABILITIES,
            role=self.app_role,
        )

    def deploy_data(self, stage: str, template: dict[str, Any], origin: str) -> str:
        """Brings the data stack up to date, unless the template is older; gives what was done, in words.

        Pages of that origin, the console's, may upload sheets.
        """
        clients = boto3.client("cloudformation"), boto3.client("dynamodb")
        return bring_data_up_to_date(*clients, stage, template, self.data_role, {"SheetsOrigin": origin})

    def take_back(self, stack: str, before: Deployed | None) -> str:
        """Deploys what was there before; gives the end of a sentence about it."""
        if before is None:
            return ". This is the first release: there is none to go back to."
        template, parameters = before
        self.deploy(stack, template, {**parameters, **_meant_for(template, AT_ONCE)})
        return ", so the previous release is back in place."

    def deployed(self, stack: str) -> Deployed | None:
        """Template and parameters of a stack as it is now, if it works."""
        client = boto3.client("cloudformation")
        now = describe(client, stack)
        if now is None or not now["StackStatus"].endswith(("CREATE_COMPLETE", "UPDATE_COMPLETE", "ROLLBACK_COMPLETE")):
            return None
        template = deployed_template(client, stack)
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in now.get("Parameters", [])}
        return (template, parameters) if template else None


def stack_of(stage: str) -> str:
    """The stack of release.json in the account of a stage."""
    return f"visits-release-{stage}"


def release(package: Package, account: Account, wishes: Mapping[str, str], smoke: Smoke, look: Look) -> Addresses:
    """Deploys the package, tries it, gives its address and its console's. Raises CannotGoOn, with the former release in
    place again.
    """
    code = uploaded(package.zip, account.bucket, CODE)
    data, app, console = package.data, package.app(code), Console.made_in(package.folder, package.stage)
    _refuse_unknown(wishes, data, app, console.template)
    cloudformation = boto3.client("cloudformation")
    origin = origin_of(cloudformation, package.stage)
    ours = {"PermissionsBoundary": account.boundary, "AlarmTopicArn": account.alarms}
    values = {**ours, **wishes, "Stage": package.stage}
    print(f"Data: {account.deploy_data(package.stage, data, origin)}", flush=True)
    values |= told_to_app(boto3.client("cloudformation"), package.stage)
    if "Subnets" in app["Parameters"]:
        values |= _network(package.stage)
    stack = f"visits-{package.stage}"
    before = account.deployed(stack)
    url = account.deploy(stack, app, _meant_for(app, values))["EndpointURL"]
    if not smoke(url):
        raise CannotGoOn(f"{url} failed its smoke test{account.take_back(stack, before)}")
    try:
        page = release_console(console, package.stage, url, wishes, look, account.console_role)
    except CannotGoOn as why:
        raise CannotGoOn(f"{why} {url} works, but without it{account.take_back(stack, before)}") from why
    if origin != page:
        account.deploy_data(package.stage, data, page)
    return Addresses(url, page)


def _network(stage: str) -> Mapping[str, str]:
    """Where a package that was made with NETWORK=private goes."""
    told = outputs(boto3.client("cloudformation"), network_stack_of(stage))
    if not told:
        raise CannotGoOn(f"The stack {network_stack_of(stage)} is missing: docs/networks.md says how to make it.")
    return told


def _meant_for(template: Mapping[str, Any], values: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if name in template.get("Parameters", {})}


def _refuse_unknown(wishes: Mapping[str, str], *templates: Mapping[str, Any]) -> None:
    known = {name for template in templates for name in template.get("Parameters", {})}
    if unknown := sorted(wishes.keys() - known):
        raise CannotGoOn(f"No template has a parameter {', '.join(unknown)}; there are: {', '.join(sorted(known))}.")


def smoke_command(url: str) -> list[str]:
    """What `make smoke` runs: the quick ones of the end-to-end tests, against an address."""
    pytest = [sys.executable, "-m", "pytest", "--disable-plugin-autoload"]
    return [*pytest, "tests/e2e/test_address.py", "-m", "smoke", "--maxfail=3", f"--url={url}"]


def smoke_test(url: str) -> bool:
    """Tries what was deployed, with the key of VISITS_KEY if there is one."""
    return subprocess.run(smoke_command(url), cwd=ROOT).returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        with told_in_words():
            package, wishes = Package.made_in(given.folder, given.stage), pairs(given.parameters)
            for region in given.regions.split() or [None]:
                # Nothing goes to the next before this one is tried.
                boto3.setup_default_session(region_name=region)
                account = Account.prepared_for(given.stage)
                url, page = release(package, account, wishes, smoke_test, answers)
                where = f" in {region}" if region else ""
                print(f"{given.stage} is released{where}: {url}, its console: {page}", flush=True)
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    # For the pages of GitLab and GitHub that link to what was deployed.
    (given.folder / "release.env").write_text(f"API_URL={url}\nCONSOLE_URL={page}\n", encoding="utf-8")
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make release", description="Deploys what `make package` built and tests it.")
    parser.add_argument("stage", help="a packaged stage")
    parser.add_argument("--folder", type=Path, required=True, help="the output folder of `make package`")
    parser.add_argument("--regions", default="", help="one after the other; without any, that of the credentials")
    parser.add_argument("--parameters", default="", help='of the templates: "AlarmTopicArn=... DeploymentType=..."')
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
