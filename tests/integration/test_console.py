"""The console on the embedded AWS: published, served with its headers beside the API, and taken back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.session import Session as BotocoreSession

from devstack.console import Console as Local
from devstack.gateway import BrokenApp, Call
from tools.deliver import release_console as command
from tools.deliver.booking_page import Agency
from tools.deliver.cloudformation import outputs
from tools.deliver.console import Console, Files, delete_console, release_console, stack_of, template
from tools.deliver.console_headers import SECURITY
from tools.deliver.data_stack import bring_data_up_to_date, create_data_stack, credentials, data_stack_of, template_of
from tools.deliver.deploy import publish_console, stage_of
from tools.failure import CannotGoOn
from tools.generate.templates import CONSOLE, written
from tools.project import HOST, REGION

STAGE = "console"
API = "https://api.visits.example/api/"
AGENCY = Agency("Lake & Sons", "+49 30 901820")
ERRORS = {400, 403, 404, 405, 414, 500, 501, 502, 503, 504}
"""What CloudFront caches
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html)."""


class Session:
    """boto3 at the embedded AWS."""

    def __init__(self, aws: str) -> None:
        self._own = credentials(aws)

    def client(self, service: str) -> Any:
        made: Any = boto3.client
        return made(service, **self._own)


@pytest.fixture(scope="module")
def session(aws: str) -> Session:
    create_data_stack(aws, STAGE)
    return Session(aws)


@pytest.fixture(autouse=True)
def at_the_embedded_aws(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.fixture(scope="module")
def api() -> Iterator[int]:
    """The port of something in the place of the API, which says what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.path} {self.headers['Authorization']}".encode()
            self.send_response(404 if "missing" in self.path else 200)
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer((HOST, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def for_the_emulator(port: int) -> dict[str, Any]:
    """The template without TLS, of which the embedded AWS has none."""
    made = template()
    policy = made["Resources"]["FilesPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"] = [each for each in policy["Statement"] if each["Sid"] != "EncryptedOnTheWay"]
    distribution = made["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    for behaviour in (distribution["DefaultCacheBehavior"], *distribution["CacheBehaviors"]):
        behaviour["ViewerProtocolPolicy"] = "allow-all"
    origin = distribution["Origins"][1]
    origin["DomainName"] = HOST
    origin["CustomOriginConfig"] |= {"OriginProtocolPolicy": "http-only", "HTTPPort": port}
    return made


def built(folder: Path, said: str) -> Path:
    (folder / "assets").mkdir(parents=True, exist_ok=True)
    (folder / "assets" / f"console-{said}.js").write_text(f"'{said}'")
    (folder / "index.html").write_text(f'<!doctype html><script type="module" src="assets/console-{said}.js"></script>')
    for page in ("book.html", "embed.html"):
        (folder / page).write_text(f"<!doctype html><body>{said}<!-- whom to call --></body>")
    return folder


def well(_: str) -> bool:
    return True


def ill(_: str) -> bool:
    return False


def released(session: Session, folder: Path, api: int, look: Any = well) -> str:
    return release_console(Console(for_the_emulator(api), folder, AGENCY), STAGE, API, {}, look, session=session)


@pytest.fixture
def files(session: Session, api: int, tmp_path: Path) -> Files:
    released(session, built(tmp_path / "first", "first"), api)
    return Files(session.client("s3"), outputs(session.client("cloudformation"), stack_of(STAGE))["Bucket"])


def get(session: Session, aws: str, path: str, **headers: str) -> httpx.Response:
    domain = outputs(session.client("cloudformation"), stack_of(STAGE))["Domain"]
    return httpx.get(f"{aws}{path}", headers={"Host": domain, **headers})


def content(files: Files, key: str) -> str:
    text: bytes = files.s3.get_object(Bucket=files.bucket, Key=key)["Body"].read()
    return text.decode()


def test_the_files_are_served_as_make_run_serves_them(session: Session, aws: str, files: Files, tmp_path: Path) -> None:
    told = outputs(session.client("cloudformation"), data_stack_of(STAGE))
    (tmp_path / "config.json").write_text(json.dumps({"domain": told["SignInDomain"]}))
    here = Local(BrokenApp(), tmp_path / "config.json", told["UploadsOrigin"], tmp_path / "first", agency=AGENCY)
    for path in ("/", "/book.html", "/embed.html", "/assets/console-first.js"):
        there, local = get(session, aws, path), here.answer(Call("GET", path, "", {}, b""))
        assert (there.status_code, there.content) == (200, local.body)
        assert (b'href="tel:+4930901820">Lake &amp; Sons +49 30 901820<' in local.body) == (
            path in ("/book.html", "/embed.html")
        )
        wanted = dict(local.headers)
        assert SECURITY.keys() - {"X-Frame-Options"} <= wanted.keys()
        assert {name: there.headers.get(name) for name in wanted} == wanted
        assert ("X-Frame-Options" in there.headers) == (path != "/embed.html")


def test_the_page_is_told_where_people_sign_in(session: Session, aws: str, files: Files) -> None:
    cloudformation = session.client("cloudformation")
    told, made = outputs(cloudformation, data_stack_of(STAGE)), outputs(cloudformation, stack_of(STAGE))
    config = get(session, aws, "/config.json")
    assert config.headers["Cache-Control"] == "no-cache"
    assert config.json() == {
        "authority": told["SignInIssuer"],
        "clientId": made["ClientId"],
        "domain": told["SignInDomain"],
        "scope": "openid email visits/console",
    }
    ids = {"UserPoolId": told["UserPool"], "ClientId": made["ClientId"]}
    client = session.client("cognito-idp").describe_user_pool_client(**ids)
    assert client["UserPoolClient"]["CallbackURLs"] == [f"{made['Url']}/"]


def test_the_api_is_at_the_same_origin_with_path_and_key(session: Session, aws: str, files: Files) -> None:
    answer = get(session, aws, "/api/visits?limit=1", Authorization="Bearer key")
    assert answer.text == "/api/visits?limit=1 Bearer key"


def test_an_error_of_the_api_stays_what_it_is_and_is_nobody_elses(session: Session, aws: str, files: Files) -> None:
    missing = get(session, aws, "/api/missing")
    assert (missing.status_code, missing.text.split()[0]) == (404, "/api/missing")
    settings = template()["Resources"]["Distribution"]["Properties"]["DistributionConfig"]["CustomErrorResponses"]
    assert {each["ErrorCode"] for each in settings} == ERRORS
    assert all(each == {"ErrorCode": each["ErrorCode"], "ErrorCachingMinTTL": 0} for each in settings)


def test_nobody_reads_the_bucket_but_the_distribution() -> None:
    resources = template()["Resources"]
    assert all(resources["Files"]["Properties"]["PublicAccessBlockConfiguration"].values())
    allowing = [
        statement
        for statement in resources["FilesPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert [statement["Principal"] for statement in allowing] == [{"Service": "cloudfront.amazonaws.com"}]
    assert "Distribution" in str(allowing[0]["Condition"]["StringEquals"]["aws:SourceArn"])


def test_make_deploy_publishes_the_console_and_keeps_what_it_was_told(
    session: Session, aws: str, api: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_data_stack(aws, "dev")
    stage = stage_of("dev", BotocoreSession())
    console = Console(for_the_emulator(api), built(tmp_path / "deployed", "deployed"), AGENCY)
    publish_console(stage, API, console, well, session)
    cloudformation = session.client("cloudformation")
    page = outputs(cloudformation, stack_of("dev"))["Url"]
    assert page in capsys.readouterr().out
    assert parameters(cloudformation, data_stack_of("dev"))["SheetsOrigin"] == page, "its pages upload sheets"
    release_console(console, "dev", API, {"BookingParents": "https://agency.example"}, well, session=session)
    publish_console(stage, API, console, well, session)
    assert parameters(cloudformation, stack_of("dev"))["BookingParents"] == "https://agency.example"
    publish_console(stage, API, None, ill, session)
    assert "not built in this folder" in capsys.readouterr().out
    with pytest.raises(CannotGoOn, match="does not answer"):
        publish_console(stage, API, console, ill, session)


def parameters(cloudformation: Any, stack: str) -> dict[str, str]:
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Parameters"]
    return {each["ParameterKey"]: each["ParameterValue"] for each in described}


def test_a_release_keeps_the_assets_of_the_one_before_and_going_back_is_one_copy(
    session: Session, aws: str, files: Files, api: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = files.live()
    assert first is not None
    released(session, built(tmp_path / "second", "second"), api)
    assert "second" in get(session, aws, "/").text
    assert get(session, aws, "/assets/console-first.js").status_code == 200, "pages that are open still need it"
    assert command.main([STAGE, "--back", first]) == 0
    assert "first" in get(session, aws, "/").text
    assert "first" in get(session, aws, "/book.html").text
    assert files.live() == first
    assert command.main([STAGE, "--back", "0123456789abcdef"]) == 1
    assert "no release 0123456789abcdef" in capsys.readouterr().err
    assert files.live() == first


def test_a_console_that_does_not_answer_is_taken_back(
    session: Session, aws: str, files: Files, api: int, tmp_path: Path
) -> None:
    first = files.live()
    with pytest.raises(CannotGoOn, match="the previous one is live again"):
        released(session, built(tmp_path / "bad", "bad"), api, ill)
    assert files.live() == first
    assert "bad" not in get(session, aws, "/").text


def test_an_asset_is_never_another_and_a_release_that_was_interrupted_is_done_again(
    session: Session, files: Files, api: int, tmp_path: Path
) -> None:
    files.s3.put_object(Bucket=files.bucket, Key="assets/console-third.js", Body=b"as it was")
    third = built(tmp_path / "third", "third")
    released(session, third, api)
    assert content(files, "assets/console-third.js") == "as it was"
    live = files.live()
    released(session, third, api)
    assert files.live() == live


def test_pages_come_after_what_they_need_and_the_one_that_people_open_comes_last(tmp_path: Path) -> None:
    class Noted:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def put_object(self, **given: Any) -> None:
            self.keys.append(given["Key"])

        def list_objects_v2(self, **given: Any) -> dict[str, Any]:
            return {"Contents": [{"Key": key} for key in self.keys if key.startswith(given["Prefix"])]}

        def copy_object(self, **given: Any) -> None:
            self.keys.append(given["Key"])

    noted = Noted()
    Files(noted, "bucket").publish(built(tmp_path, "one"), "{}", AGENCY)
    assert noted.keys[0] == "assets/console-one.js"
    assert all(key.startswith("releases/") for key in noted.keys[1:5])
    assert noted.keys[5:] == ["book.html", "config.json", "embed.html", "index.html"]


def test_a_console_is_deleted_with_every_version_of_its_files(session: Session, files: Files) -> None:
    files.s3.put_object(Bucket=files.bucket, Key="index.html", Body=b"another version")
    cloudformation = session.client("cloudformation")
    assert delete_console(cloudformation, files.s3, STAGE)
    assert outputs(cloudformation, stack_of(STAGE)) == {}
    assert not delete_console(cloudformation, files.s3, STAGE)


def test_the_agency_of_a_package_is_the_one_that_its_stage_is_told(tmp_path: Path) -> None:
    built(tmp_path / "console", "one")
    (tmp_path / "console.json").write_text("{}")
    variables = {"STAGE": "beta", "AGENCY_NAME": "Lake & Sons", "AGENCY_PHONE": "+49 30 901820"}
    app = {"Resources": {"APIHandler": {"Properties": {"Environment": {"Variables": variables}}}}}
    (tmp_path / "beta.json").write_text(json.dumps(app))
    assert Console.made_in(tmp_path, "beta").agency == AGENCY


def test_a_package_without_a_console_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotGoOn, match="make package"):
        Console.made_in(tmp_path, "beta")


def test_the_committed_template_is_what_make_console_stack_writes() -> None:
    assert CONSOLE.read_text(encoding="utf-8") == written("console")


def test_the_origin_that_may_upload_can_change_while_the_bucket_stays(session: Session) -> None:
    clients = session.client("cloudformation"), session.client("dynamodb")
    for origin in ("https://one.example", "https://two.example"):
        bring_data_up_to_date(*clients, STAGE, template_of(STAGE), parameters={"SheetsOrigin": origin})
        bucket = outputs(clients[0], data_stack_of(STAGE))["SheetsBucket"]
        (rule,) = session.client("s3").get_bucket_cors(Bucket=bucket)["CORSRules"]
        assert rule["AllowedOrigins"] == [origin]
