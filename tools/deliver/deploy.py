"""`make deploy STAGE=dev` and `make delete STAGE=dev`: a stage without a pipeline, straight from this folder.

The data stack, then `chalice deploy`, then what Chalice cannot set. Doing it again updates what has changed. Deleting
keeps the data unless told otherwise.
"""

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TextIO

import boto3
from botocore.exceptions import ClientError
from botocore.session import Session
from chalice.awsclient import AWSClientError
from chalice.cli.factory import CLIFactory
from chalice.config import Config
from chalice.deploy.deployer import ChaliceDeploymentError
from chalice.deploy.packager import NoSuchPackageError, PackageDownloadError
from chalice.utils import UI

from tools.deliver.cloudformation import delete, describe, empty, outputs, pairs
from tools.deliver.console import Console, Look, answers, delete_console, origin_of, release_console
from tools.deliver.data_stack import bring_data_up_to_date, data_stack_of, names_of, template_of, told_to_app
from tools.deliver.gateway_settings import Place, Template, apply
from tools.deliver.network import NOWHERE, Network, Placing, make, place_of
from tools.deliver.network import stack_of as network_stack_of
from tools.deliver.regions import name_roles, recall
from tools.failure import CannotGoOn
from tools.generate.gateway_responses import EXTENSION, MERGE_TEMPLATE, definition, named_origin
from tools.operate.refusals import sentence, told_in_words
from tools.project import ROOT

NOT_INSTALLED: Final = "Could not install"
LOCAL: Final = "local"


@dataclass(frozen=True)
class Stage:
    """A stage of `.chalice/config.json` in the account that the session's credentials are for."""

    name: str
    session: Session
    factory: CLIFactory
    config: Config
    project: Path = ROOT
    network: Network = Network.AS_IT_IS
    """Where its functions are to be."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of that network."""

    @property
    def app_stack(self) -> str:
        """The stack of the packaged app, where the stage is deployed that way."""
        return f"visits-{self.name}"

    @property
    def gateway_stage(self) -> str:
        return str(self.config.api_gateway_stage)

    @cached_property
    def cloudformation(self) -> Any:
        return self.session.create_client("cloudformation")

    @cached_property
    def place(self) -> Place:
        sts: Any = self.session.create_client("sts")
        caller = sts.get_caller_identity()
        region = self.cloudformation.meta.region_name
        return Place(caller["Arn"].split(":")[1], region, caller["Account"])

    @property
    def state(self) -> Path:
        """What Chalice remembers of a deployment, in this folder alone."""
        return self.project / ".chalice" / "deployed" / f"{self.name}.json"

    @property
    def sheets_bucket(self) -> str:
        """Account and Region are part of its name (`.chalice/data.json`)."""
        return f"visits-{self.name}-sheets-{self.place.account}-{self.place.region}"

    def deployed_api(self) -> Mapping[str, str] | None:
        """Id and address of the API, as Chalice remembers them."""
        try:
            resources = json.loads(self.state.read_text(encoding="utf-8"))["resources"]
        except FileNotFoundError:
            return None
        found: list[Mapping[str, str]] = [each for each in resources if each["resource_type"] == "rest_api"]
        return found[0] if found else None


def stage_of(name: str, session: Session, project: Path = ROOT) -> Stage:
    """The stage, once it is clear that it is one to deploy from here."""
    factory = CLIFactory(str(project), environ=os.environ)
    config = factory.create_config_obj(chalice_stage_name=name)
    stages: Any = config.config_from_disk.get("stages", {})
    if name == LOCAL:
        raise CannotGoOn("The stage local runs only on this machine: `make run` starts it.")
    if name not in stages:
        known = ", ".join(stage for stage in stages if stage != LOCAL)
        raise CannotGoOn(f"There is no stage '{name}' in .chalice/config.json; there are: {known}.")
    stage = Stage(name, session, factory, config, project)
    packaged = describe(stage.cloudformation, stage.app_stack)
    if packaged and packaged["StackStatus"] != "REVIEW_IN_PROGRESS":
        raise CannotGoOn(
            f"The stage {name} is deployed by CloudFormation (stack {stage.app_stack}): update or delete it there. "
            "Two apps must not share the data."
        )
    name_roles(session, name, stage.place.region)
    recall(stage.state, stage.place.region)
    return stage


def deploy(stage: Stage) -> str:
    """Deploys the stage, or brings it up to date; gives the API's address."""
    place = stage.place
    _say(f"Deploying {stage.name} to the account {place.account}, {place.region}")
    _adopt(stage)
    _say(f"Data: the stack {data_stack_of(stage.name)}, table and queues")
    _bring_data_up_to_date(stage)
    # Chalice takes the stream's ARN from the app alone, which takes it from here.
    told = told_to_app(stage.cloudformation, stage.name)
    os.environ["STREAM_ARN"] = told["StreamArn"]
    _name_places(stage, told["SignInIssuer"])
    _place(stage)
    _say("App: chalice deploy")
    api = _chalice_deploy(stage)
    _say("Gateway: settings that Chalice does not manage")
    for change in apply(stage.session, gateway_template(stage), api["rest_api_id"], stage.gateway_stage):
        _say(f"  {change}")
    if stage.network is Network.PUBLIC and place_of(stage.cloudformation, stage.name):
        stage.cloudformation.delete_stack(StackName=network_stack_of(stage.name))
        _say(f"Network: {network_stack_of(stage.name)} goes when Lambda has left it, in half an hour or so")
    return api["rest_api_url"].rstrip("/")


def _bring_data_up_to_date(stage: Stage) -> None:
    dynamodb: Any = stage.session.create_client("dynamodb")
    uploads = {"SheetsOrigin": origin_of(stage.cloudformation, stage.name)}
    template = template_of(stage.name)
    said = bring_data_up_to_date(stage.cloudformation, dynamodb, stage.name, template, parameters=uploads)
    _say(f"  {said}")


def publish_console(
    stage: Stage, url: str, console: Console | None, look: Look = answers, session: Any = boto3
) -> None:
    """The console in front of the API at that address, where CloudFront can reach that.

    Raises CannotGoOn when it does not answer.
    """
    place = place_of(stage.cloudformation, stage.name)
    if place and place.api:
        _say("Console: none, since the API answers only inside its network")
        return
    if console is None:
        _say("Console: not built in this folder, so left as it is (make console builds it)")
        return
    _say("Console: its stack and its files (some minutes the first time, while CloudFront takes it on)")
    before = origin_of(stage.cloudformation, stage.name)
    page = release_console(console, stage.name, url, {}, look, session=session)
    _say(f"  {page}")
    if page != before:
        _say("Data: its pages may upload sheets")
        _bring_data_up_to_date(stage)


def _built_here(stage: str) -> Console | None:
    try:
        return Console.of_this_folder(stage)
    except CannotGoOn:
        return None


def _say_what_to_try(stage: Stage, url: str) -> None:
    print(f"\nThe stage {stage.name} answers at {url}. Try:\n")
    print(f"curl -s {url}/health\n")
    print(f"API key:       make key STAGE={stage.name} NAME=me SCOPES=read,write,admin")
    print(f"Smoke test:    make smoke URL={url} KEY=<api key>")


def _name_places(stage: Stage, sign_in: str) -> None:
    """Tells the functions where people sign in, and the name of the bucket."""
    told = stage.config.config_from_disk["stages"][stage.name].setdefault("environment_variables", {})
    told["SIGN_IN_ISSUER"] = sign_in
    told["SHEETS_BUCKET"] = stage.sheets_bucket


def _place(stage: Stage) -> None:
    """Tells Chalice where functions and API are, if the stage has a network of its own or is to have one."""
    if stage.network in (Network.PRIVATE, Network.INTERNAL):
        _say(f"Network: the stack {network_stack_of(stage.name)}")
        place = make(stage.cloudformation, stage.name, stage.network, stage.settings)
    elif (here := place_of(stage.cloudformation, stage.name)) is None:
        return
    else:
        place = here
    leaves = stage.network is Network.PUBLIC
    Placing(stage.name, NOWHERE if leaves else place.vpc_config).register(stage.session)
    if place.api and not leaves:
        internal = {"api_gateway_endpoint_type": "PRIVATE", "api_gateway_endpoint_vpce": [place.api]}
        stage.config.config_from_disk["stages"][stage.name].update(internal)


def gateway_template(stage: Stage) -> Template:
    """What the merge template says of the stage's API."""
    document = json.loads(MERGE_TEMPLATE.read_text(encoding="utf-8"))
    origin = named_origin(stage.config.environment_variables.get("CORS_ORIGINS", ""))
    document["Resources"]["RestAPI"]["Properties"]["DefinitionBody"][EXTENSION] = definition(origin)
    return Template(document, {"Stage": stage.name}, stage.place)


def _adopt(stage: Stage) -> None:
    """Lets Chalice know of an API that somebody else's folder deployed; it would make a second one.

    Functions and roles it finds by their names. The API's name is the stage's own only after a deployment went through.
    """
    if stage.deployed_api():
        return
    name = gateway_template(stage).api["Name"]
    gateway: Any = stage.session.create_client("apigateway")
    pages = gateway.get_paginator("get_rest_apis").paginate()
    ids = [api["id"] for page in pages for api in page["items"] if api["name"] == name]
    if not ids:
        return
    if len(ids) > 1:
        raise CannotGoOn(f"There are {len(ids)} APIs named {name}; first delete those not in use.")
    _say(f"Taking over the API {name} ({ids[0]}), which was deployed from another folder")
    suffix = "amazonaws.com.cn" if stage.place.partition == "aws-cn" else "amazonaws.com"
    url = f"https://{ids[0]}.execute-api.{stage.place.region}.{suffix}/{stage.gateway_stage}/"
    api = {"name": "rest_api", "resource_type": "rest_api", "rest_api_id": ids[0], "rest_api_url": url}
    stage.state.parent.mkdir(parents=True, exist_ok=True)
    document = {"resources": [api], "schema_version": "2.0", "backend": "api"}
    stage.state.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _chalice_deploy(stage: Stage) -> Mapping[str, str]:
    """`chalice deploy`; gives what it says of the API."""
    for call in ("CreateFunction", "UpdateFunctionConfiguration"):
        stage.session.register(f"before-parameter-build.lambda.{call}", _traced)
    with _told_by_chalice(), contextlib.redirect_stdout(_Attentive(sys.stdout)):
        deployer = stage.factory.create_default_deployer(stage.session, stage.config, UI())
        deployed = deployer.deploy(stage.config, chalice_stage_name=stage.name)
    (api,) = [resource for resource in deployed["resources"] if resource["resource_type"] == "rest_api"]
    return dict(api)


def _traced(**call: Any) -> None:
    """Functions are traced, the gateway's stage is not: its traces hold addresses with their queries, and callers.

    Chalice knows one setting for both, so that it is not told to trace anything.
    """
    call["params"]["TracingConfig"] = {"Mode": "Active"}


def delete_app(stage: Stage) -> None:
    """The console, then `chalice delete`. Logs stay until their retention is over."""
    if delete_console(stage.cloudformation, stage.session.create_client("s3"), stage.name):
        _say("Console: deleted with its stack")
    if stage.deployed_api() is None:
        _say(f"This folder has not deployed {stage.name} (`make deploy` adopts a stage deployed from another folder).")
        return
    _say("App: chalice delete")
    with _told_by_chalice():
        stage.factory.create_deletion_deployer(stage.session, UI()).deploy(stage.config, chalice_stage_name=stage.name)


def delete_data(stage: Stage, confirmed: bool) -> None:
    """The data stack and what it retains. What is protected is refused before anything is touched."""
    dynamodb: Any = stage.session.create_client("dynamodb")
    sqs: Any = stage.session.create_client("sqs")
    cognito: Any = stage.session.create_client("cognito-idp")
    table, queues = names_of(stage.name)
    pool = outputs(stage.cloudformation, data_stack_of(stage.name)).get("UserPool")
    with contextlib.suppress(dynamodb.exceptions.ResourceNotFoundException):
        if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            raise CannotGoOn(f"The table {table} is protected against deletion. Nothing was deleted.")
    if pool and cognito.describe_user_pool(UserPoolId=pool)["UserPool"].get("DeletionProtection") == "ACTIVE":
        raise CannotGoOn(f"The user pool {pool} is protected against deletion. Nothing was deleted.")
    if not confirmed and not agreed(f"Delete all data of {stage.name} (table {table}, queues {', '.join(queues)})"):
        raise CannotGoOn("Nothing was deleted. YES=1 skips the question.")
    delete_app(stage)
    people = f", the people of {pool}" if pool else ""
    _say(f"Data: the stack {data_stack_of(stage.name)}, the table {table}, the queues {', '.join(queues)}{people}")
    empty(stage.session.create_client("s3"), stage.sheets_bucket)
    delete(stage.cloudformation, data_stack_of(stage.name))
    with contextlib.suppress(dynamodb.exceptions.ResourceNotFoundException):
        dynamodb.delete_table(TableName=table)
    for queue in queues:
        with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
    if pool:
        # Only now: a pool that has a domain, which is the stack's, cannot be deleted.
        cognito.delete_user_pool(UserPoolId=pool)


@contextlib.contextmanager
def _told_by_chalice() -> Iterator[None]:
    """Chalice wraps what AWS says; what went wrong is at the bottom of it."""
    try:
        yield
    except (ChaliceDeploymentError, AWSClientError) as wrapped:
        inner: BaseException = wrapped
        while original := getattr(inner, "original_error", None):
            inner = original
        raise CannotGoOn(sentence(inner) if isinstance(inner, ClientError) else str(wrapped).strip()) from wrapped
    except (NoSuchPackageError, PackageDownloadError) as why:
        raise CannotGoOn(f"Cannot download the packages of requirements.txt: {why}") from why
    except RuntimeError as why:  # app.py cannot be imported
        raise CannotGoOn(str(why)) from why


class _Attentive(io.TextIOBase):
    """Hands on what Chalice says, and stops it where it would go on without a dependency."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        if NOT_INSTALLED in text:
            # Before the package is written, which Chalice would otherwise keep and reuse as a complete one.
            raise CannotGoOn(f"{text.strip().split('You will')[0].strip()}\nNothing of the app was deployed.")
        return self._out.write(text)

    def flush(self) -> None:
        self._out.flush()


def agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question}? Write yes: ").strip().lower() == "yes"


def _say(what: str) -> None:
    print(what, flush=True)


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    given = _arguments(arguments)
    # Chalice packages whatever bytecode lies about.
    sys.dont_write_bytecode = True
    try:
        with told_in_words():
            stage = stage_of(given.stage, session or Session())
            if given.action == "deploy":
                placed = replace(stage, network=Network(given.network), settings=pairs(given.parameters))
                url = deploy(placed)
                _say_what_to_try(placed, url)
                publish_console(placed, url, _built_here(placed.name))
            elif given.data == "delete":
                delete_data(stage, given.yes)
            else:
                delete_app(stage)
                _say("The data stays (DATA=delete removes it too).")
    except CannotGoOn as why:
        sys.stdout.flush()
        print(why, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run it again to continue.", file=sys.stderr)
        return 130
    return 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.deliver.deploy", description=__doc__)
    parser.add_argument("action", choices=("deploy", "delete"))
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json, not local")
    parser.add_argument("--network", choices=tuple(Network), default="", help="with deploy: where the functions are")
    parser.add_argument("--parameters", default="", help='with deploy: of the network, "Zones=3 Mail=yes"')
    parser.add_argument("--data", choices=("keep", "delete"), default="keep", help="with delete: the data too")
    parser.add_argument("--yes", action="store_true", help="with --data delete: do not ask")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
