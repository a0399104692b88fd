"""The package as a container image: its template, its Dockerfile, what is in it, and that it answers both ways.

It is built without an engine, by buildah, on a base of Debian's packages (trixie's Python 3.13) with the boto3 and the
runtime interface client of this environment. Where buildah or mmdebstrap is missing, those tests are skipped.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from queue import Queue
from typing import Any, Final

import boto3
import httpx
import pytest
from chalice.local import LambdaContext

from devstack.emulator import emulator, free_port
from devstack.gateway import Call, Match, event_of
from tests.cicd.linters import findings
from tests.contract import check
from tests.e2e.deployment import STACK, STAGE, boto3_layer
from tests.integration.access import access_to, bearer
from tests.integration.api import PROPERTY
from tools.deliver.data_stack import create_data_stack, credentials
from tools.deliver.image import DOCKERFILE, SERVER, build
from tools.deliver.image import main as make_image
from tools.deliver.package import Template, expanded, in_image, past_the_alias
from tools.failure import CannotGoOn
from tools.generate.templates import IMAGES, written
from tools.project import HOST, REGION, ROOT, pinned_python

SUITE: Final = "trixie"
BASE: Final = ROOT / "build" / "image-base" / f"{SUITE}.tar"
CLIENT: Final = ("awslambdaric", "simplejson", "snapshot-restore-py")
WITHIN: Final = """
import os, sys, warnings
root, folder, user, *command = sys.argv[1:]
uid, gid = map(int, user.split(":"))
os.chroot(root)
os.chdir(folder)
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
os.execvp(command[0], command)
"""
"""What a container engine does with an image's settings, as far as matters here."""
BUILDS: Final = ("pip", "pip3", "uv", "gcc", "cc", "ld", "make", "git", "npm", "apt-get")


# What is deployed


@pytest.fixture(scope="module")
def template(packaged: Path) -> Template:
    return in_image(json.loads((packaged / f"{STAGE}.json").read_text(encoding="utf-8")))


def functions(template: Template) -> dict[str, Any]:
    kinds = ("AWS::Serverless::Function", "AWS::Lambda::Function")
    return {name: it["Properties"] for name, it in template["Resources"].items() if it["Type"] in kinds}


def test_every_function_is_of_the_image_and_named_by_its_command(packaged: Path, template: Template) -> None:
    zipped = functions(json.loads((packaged / f"{STAGE}.json").read_text(encoding="utf-8")))
    for name, function in functions(expanded(template, {"ImageTag": "one"})).items():
        assert function["PackageType"] == "Image"
        assert function["ImageConfig"] == {"Command": [zipped[name]["Handler"]]}
        assert function["Code"]["ImageUri"]["Fn::Sub"].endswith("/visits:one")
        assert not {"Handler", "Runtime", "Layers"} & function.keys()


def test_another_image_is_another_version_behind_the_alias(template: Template) -> None:
    def versions(tag: str) -> set[str]:
        made = expanded(copy.deepcopy(template), {"ImageTag": tag})
        assert list(past_the_alias(made)) == []
        return {name for name, it in made["Resources"].items() if it["Type"] == "AWS::Lambda::Version"}

    assert len(versions("one")) == len(functions(template))
    assert versions("one") == versions("one")
    assert not versions("one") & versions("two")


def test_the_repository_is_as_it_is_generated() -> None:
    assert IMAGES.read_text(encoding="utf-8") == written("images"), "make images"


def test_hadolint_is_content_with_the_dockerfile() -> None:
    assert findings("hadolint", DOCKERFILE) == ""


def test_a_machine_that_builds_no_images_is_told_what_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make_image(["visits"]) == 1
    assert capsys.readouterr().err.startswith("An image is built by buildah, podman, docker; none is installed.")


# The image


@dataclass(frozen=True)
class Image:
    """A built image: its settings, its own layers, and its files in a folder."""

    config: Mapping[str, Any]
    base: Mapping[str, Any]
    layers: list[Path]
    root: Path

    @contextlib.contextmanager
    def process(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A process of the image as its settings say: the user, the variables, the folder."""
        told = dict(variable.split("=", 1) for variable in self.config["Env"]) | environment
        place = [sys.executable, "-c", WITHIN, str(self.root), self.config["WorkingDir"], self.config["User"]]
        with subprocess.Popen([*place, *command], env=told, stdout=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()


def buildah(*arguments: str | Path) -> str:
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """buildah's own place, for this run alone."""
    missing = [tool for tool in ("buildah", "mmdebstrap") if not shutil.which(tool)]
    if missing or os.geteuid() != 0 or sys.version_info[:2] != pinned_python():
        pytest.skip("the image is built by root with Debian's packages buildah and mmdebstrap, on the Python of AWS")
    folder = tmp_path_factory.mktemp("storage")
    config = folder / "storage.conf"
    places = f'graphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
    config.write_text(f'[storage]\ndriver = "vfs"\n{places}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_STORAGE_CONF", str(config))
        patch.setenv("BUILDAH_ISOLATION", "chroot")
        yield folder
        buildah("rm", "--all")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def base(storage: Path) -> str:
    """What Lambda's base is in AWS: Python, boto3, the client, and an entry point that takes a handler's name."""
    if not BASE.exists():
        BASE.parent.mkdir(parents=True, exist_ok=True)
        fresh = BASE.with_suffix(".part.tar")
        hooks = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=python3,libstdc++6"]
        done = subprocess.run(["mmdebstrap", "--variant=extract", *hooks, SUITE, fresh], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"Debian's packages could not be fetched: {done.stderr[-300:]}")
        fresh.replace(BASE)
    added = storage / "added"
    zipfile.ZipFile(io.BytesIO(boto3_layer())).extractall(added)
    client = added / "python"
    for library in map(distribution, CLIENT):
        for file in library.files or ():
            if file.suffix != ".pyc" and ".." not in file.parts:
                (client / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(library.locate_file(file)), client / file)
    container = buildah("from", "scratch")
    buildah("add", container, BASE, "/")
    buildah("add", container, client, "/usr/local/lib/python3.13/dist-packages")
    entry = '["/usr/bin/python3", "-m", "awslambdaric"]'
    buildah("config", "--entrypoint", entry, "--env", "LANG=C.UTF-8", "--env", "PATH=/usr/bin", container)
    buildah("commit", "--quiet", "--rm", container, "localhost/base")
    return "localhost/base"


@pytest.fixture(scope="module")
def image(packaged: Path, base: str, storage: Path) -> Image:
    build(packaged / "deployment.zip", "localhost/visits", base)
    buildah("push", "--quiet", "localhost/visits", f"oci:{storage / 'oci'}")
    blobs = storage / "oci" / "blobs" / "sha256"
    index = json.loads((storage / "oci" / "index.json").read_text(encoding="utf-8"))
    (manifest,) = (json.loads((blobs / each["digest"][7:]).read_text(encoding="utf-8")) for each in index["manifests"])
    told, stands_on = (json.loads(buildah("inspect", "--type", "image", name)) for name in ("localhost/visits", base))
    own = manifest["layers"][len(stands_on["OCIv1"]["rootfs"]["diff_ids"]) :]
    root = Path(buildah("mount", buildah("from", "localhost/visits")))
    layers = [blobs / layer["digest"][7:] for layer in own]
    return Image(told["OCIv1"]["config"], stands_on["OCIv1"]["config"], layers, root)


def test_its_layers_are_the_package_and_its_server_and_nothing_else(packaged: Path, image: Image) -> None:
    found: dict[str, bytes] = {}
    for layer in image.layers:
        with tarfile.open(layer) as files:
            for file in files:
                assert (file.uid, file.gid, file.mode & 0o7022) == (0, 0, 0), f"{file.name} is somebody's to change"
                if content := files.extractfile(file):
                    found[file.name] = content.read()
    with zipfile.ZipFile(packaged / "deployment.zip") as package:
        for name in package.namelist():
            assert found.pop(f"var/task/{name}") == package.read(name)
    for name in SERVER:
        assert found.pop(f"opt/serve/{name}") == (ROOT / name).read_bytes()
    libraries = {name.split("/")[2].partition("-")[0].removesuffix(".py") for name in found}
    assert libraries == {"__main__", "chalice", "six", "waitress"}


def test_it_builds_nothing_is_not_root_and_is_told_no_secret(image: Image) -> None:
    folders = [image.root / folder for folder in ("usr/bin", "usr/sbin", "usr/local/bin", "opt", "var/task")]
    assert [file for folder in folders for file in folder.rglob("*") if file.name in BUILDS and file.is_file()] == []
    assert image.config["User"] == "65534:65534"
    assert image.config["Env"] == image.base["Env"]


def test_the_same_package_is_the_same_image(packaged: Path, base: str, image: Image) -> None:
    build(packaged / "deployment.zip", "localhost/again", base)
    one, again = (buildah("images", "--no-trunc", "--quiet", f"localhost/{name}") for name in ("visits", "again"))
    assert one == again


def test_what_cannot_be_built_says_so(packaged: Path, storage: Path) -> None:
    with pytest.raises(CannotGoOn, match="buildah did not build the image; its reason is above"):
        build(packaged / "deployment.zip", "localhost/none", "localhost/no-such-base")


# As a function of Lambda, and over HTTP


@dataclass(frozen=True)
class Stage:
    """A stage's table and queues on an AWS of its own, what a function is told of it, and who may call."""

    environment: Mapping[str, str]
    caller: Mapping[str, str]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with emulator() as aws:
        create_data_stack(aws.endpoint, STAGE)
        own = credentials(aws.endpoint)
        environment = {
            "STAGE": STAGE,
            "TABLE_NAME": STACK,
            "QUEUE_NAME": STACK,
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": own["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": own["aws_secret_access_key"],
        }
        yield Stage(environment, bearer(access_to(boto3.client("dynamodb", **own), STACK), name="partner"))


@contextlib.contextmanager
def runtime_api() -> Iterator[tuple[str, Queue[dict[str, Any]], Queue[tuple[str, Any]]]]:
    """What Lambda's client fetches events from and posts answers to: the address, the events, and what was said."""
    events: Queue[dict[str, Any]] = Queue()
    said: Queue[tuple[str, Any]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            event = json.dumps(events.get()).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "of-the-test")
            self.send_header("Lambda-Runtime-Deadline-Ms", "9999999999999")
            self.send_header("Content-Type", "application/json")
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function:visits")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            said.put((self.path.rpartition("/")[2], json.loads(content)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{HOST}:{server.server_port}", events, said
        server.shutdown()


def answered(image: Image, stage: Stage, handler: str, *events: dict[str, Any]) -> list[Any]:
    """What a function of the image answers to these events, by Lambda's client."""
    with runtime_api() as (address, asked, said):
        told = {**stage.environment, "AWS_LAMBDA_RUNTIME_API": address, "AWS_LAMBDA_FUNCTION_NAME": STACK}
        answers = []
        with image.process(*image.config["Entrypoint"], handler, **told):
            for event in events:
                asked.put(event)
                kind, answer = said.get(timeout=60)
                assert kind == "response", answer
                answers.append(answer)
        return answers


def gateway_event(method: str, path: str, body: object, caller: Mapping[str, Any]) -> dict[str, Any]:
    content = json.dumps(body).encode()
    call = Call(method, path, "", {"content-type": ["application/json"], "host": ["visits.example"]}, content)
    event = event_of(call, Match(path, {}), LambdaContext("visits", 128))
    event["requestContext"]["authorizer"] = dict(caller)
    return event


def test_it_answers_the_gateway_through_lambdas_client(image: Image, stage: Stage) -> None:
    arn = f"arn:aws:execute-api:{REGION}:000000000000:a1b2c3/api/POST/properties"
    asked = {"type": "TOKEN", "authorizationToken": stage.caller["Authorization"], "methodArn": arn}
    (admitted,) = answered(image, stage, "app.bearer_key", asked)
    assert admitted["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    caller = {"principalId": admitted["principalId"], **admitted["context"]}
    registers = gateway_event("POST", "/properties", PROPERTY | {"id": "in-lambda"}, caller)
    (command,) = image.config["Cmd"]
    answers = answered(image, stage, command, registers, registers)
    assert [answer["statusCode"] for answer in answers] == [201, 409]


def test_it_answers_over_http_with_another_command(image: Image, stage: Stage) -> None:
    port = free_port()
    with (
        image.process("python3", "/opt/serve", **stage.environment, PORT=str(port)) as server,
        httpx.Client(base_url=f"http://{HOST}:{port}", event_hooks={"response": [check]}, timeout=60) as http,
    ):
        assert server.stdout is not None
        assert server.stdout.readline() == f"ready: port {port}\n"
        assert http.get("/health").json() == {"status": "ok"}
        assert http.get("/properties").status_code == 401
        made = http.post("/properties", json=PROPERTY | {"id": "over-http"}, headers=stage.caller)
        assert made.status_code == 201
        assert http.get("/properties/over-http", headers=stage.caller).json()["name"] == PROPERTY["name"]
        server.terminate()
        assert server.wait(60) == 0
