"""Two Regions and two stages of one account at once, deployed from one folder: each for itself, and apart."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

import boto3
import httpx
import pytest

from chalicelib.functions import FUNCTIONS
from tests.builders import property_body
from tests.e2e.address import address_of
from tests.e2e.deployment import boto3_layer
from tests.integration.folders import Folder, folder_in, on_the_emulator
from tools.deliver.data_stack import credentials
from tools.deliver.release import smoke_test

ELSEWHERE: Final = "us-west-2"
PLACES: Final = (("dev", "eu-central-1"), ("dev", ELSEWHERE), ("beta", ELSEWHERE))

Place = tuple[str, str]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Place, Folder]]:
    """The same folder, as it works on each of the places."""
    with folder_in(tmp_path_factory.mktemp("regions")) as made:
        functions = boto3.client("lambda", **credentials(made.endpoint) | {"region_name": ELSEWHERE})
        there = functions.publish_layer_version(LayerName="boto3", Content={"ZipFile": boto3_layer()})
        layers = {ELSEWHERE: there["LayerVersionArn"]}
        yield {
            (stage, region): replace(made, stage=stage, region=region, layer=layers.get(region, made.layer))
            for stage, region in PLACES
        }


@pytest.fixture(scope="module")
def addresses(folders: Mapping[Place, Folder]) -> Iterator[Mapping[Place, str]]:
    """Where each answers, once all are deployed."""
    with ExitStack() as stack:
        found = {}
        for place, folder in folders.items():
            on_the_emulator(folder.path, folder.endpoint, folder.layer, folder.stage)
            folder.deploy()
            behind, host = f"{folder.endpoint}/api", folder.url.removeprefix("http://").removesuffix("/api")
            found[place] = stack.enter_context(address_of(behind, host))
        yield found


@pytest.fixture(scope="module")
def keys(folders: Mapping[Place, Folder], addresses: Mapping[Place, str]) -> Mapping[Place, str]:
    made = {}
    for place, folder in folders.items():
        said = folder.keys("create", "--name", "me", "--scopes", "read,write,admin")
        assert said.returncode == 0, said.stderr
        made[place] = said.stdout.strip()
    return made


def get(addresses: Mapping[Place, str], place: Place, key: str, path: str) -> httpx.Response:
    return httpx.get(f"{addresses[place]}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.mark.parametrize("place", PLACES, ids="-".join)
def test_each_passes_the_smoke_test(
    addresses: Mapping[Place, str],
    keys: Mapping[Place, str],
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VISITS_KEY", keys[place])
    assert smoke_test(addresses[place]), capfd.readouterr().out


def test_data_and_keys_of_each_are_its_own(addresses: Mapping[Place, str], keys: Mapping[Place, str]) -> None:
    for place in PLACES:
        name = "-".join(place)
        made = httpx.put(
            f"{addresses[place]}/properties/{name}",
            json=property_body(),
            headers={"Authorization": f"Bearer {keys[place]}", "If-None-Match": "*"},
            timeout=60,
        )
        assert made.status_code == 201, made.text
    for place in PLACES:
        for other in PLACES:
            answer = get(addresses, place, keys[place], f"/properties/{'-'.join(other)}")
            assert answer.status_code == (200 if place == other else 404)
            if place != other:
                assert get(addresses, place, keys[other], "/properties").status_code == 401


def test_a_stage_that_goes_leaves_the_same_stage_elsewhere_alone(
    folders: Mapping[Place, Folder], addresses: Mapping[Place, str], keys: Mapping[Place, str]
) -> None:
    here, there, neighbour = PLACES
    folders[there].delete("--data", "delete", "--yes")
    elsewhere = credentials(folders[there].endpoint) | {"region_name": ELSEWHERE}
    left = boto3.client("lambda", **elsewhere).list_functions()["Functions"]
    assert {each["FunctionName"].split("-")[1] for each in left} == {"beta"}
    assert len(left) == len(FUNCTIONS)
    roles = [each["RoleName"] for each in folders[here].client("iam").list_roles()["Roles"]]
    assert len([name for name in roles if name.startswith("visits-dev-")]) == len(FUNCTIONS)
    for place in (here, neighbour):
        assert get(addresses, place, keys[place], f"/properties/{'-'.join(place)}").status_code == 200
    again: subprocess.CompletedProcess[str] = folders[here].keys("list")
    assert "me" in again.stdout
    on_the_emulator(folders[here].path, folders[here].endpoint, folders[here].layer, "dev")
    assert "Taking over" not in folders[here].deploy(), "the folder knows what it has deployed there"
