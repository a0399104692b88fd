"""A stage in two Regions of one account at once, deployed from one folder: each for itself, and apart.

What Chalice would package is there already. test_chalice_deploy.py sees to that, and to the smoke test in its Region.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
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
from tools.project import REGION

ELSEWHERE: Final = "us-west-2"
REGIONS: Final = (REGION, ELSEWHERE)


@pytest.fixture(scope="module")
def folders(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Folder]]:
    """The same folder, as it works on each of the Regions."""
    with folder_in(tmp_path_factory.mktemp("regions")) as made:
        made.has_packaged(packaged)
        functions = boto3.client("lambda", **credentials(made.endpoint) | {"region_name": ELSEWHERE})
        there = functions.publish_layer_version(LayerName="boto3", Content={"ZipFile": boto3_layer()})
        layers = {ELSEWHERE: there["LayerVersionArn"]}
        yield {region: replace(made, region=region, layer=layers.get(region, made.layer)) for region in REGIONS}


@pytest.fixture(scope="module")
def addresses(folders: Mapping[str, Folder]) -> Iterator[Mapping[str, str]]:
    """Where each answers, once both are deployed."""
    with ExitStack() as stack:
        found = {}
        for region, folder in folders.items():
            on_the_emulator(folder.path, folder.endpoint, folder.layer, folder.stage)
            assert "Reusing existing deployment package" in folder.deploy()
            behind, host = f"{folder.endpoint}/api", folder.url.removeprefix("http://").removesuffix("/api")
            found[region] = stack.enter_context(address_of(behind, host))
        yield found


@pytest.fixture(scope="module")
def keys(folders: Mapping[str, Folder], addresses: Mapping[str, str]) -> Mapping[str, str]:
    made = {}
    for region, folder in folders.items():
        said = folder.keys("create", "--name", "me", "--scopes", "read,write,admin")
        assert said.returncode == 0, said.stderr
        made[region] = said.stdout.strip()
    return made


def get(address: str, key: str, path: str) -> httpx.Response:
    return httpx.get(f"{address}{path}", headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_the_one_elsewhere_passes_the_smoke_test(
    addresses: Mapping[str, str],
    keys: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VISITS_KEY", keys[ELSEWHERE])
    assert smoke_test(addresses[ELSEWHERE]), capfd.readouterr().out


def test_data_and_keys_of_each_are_its_own(addresses: Mapping[str, str], keys: Mapping[str, str]) -> None:
    for region in REGIONS:
        made = httpx.put(
            f"{addresses[region]}/properties/{region}",
            json=property_body(),
            headers={"Authorization": f"Bearer {keys[region]}", "If-None-Match": "*"},
            timeout=60,
        )
        assert made.status_code == 201, made.text
    for region, other in (REGIONS, REGIONS[::-1]):
        assert get(addresses[region], keys[region], f"/properties/{region}").status_code == 200
        assert get(addresses[region], keys[region], f"/properties/{other}").status_code == 404
        assert get(addresses[region], keys[other], "/properties").status_code == 401


def test_a_stage_that_goes_leaves_the_same_stage_elsewhere_alone(
    folders: Mapping[str, Folder], addresses: Mapping[str, str], keys: Mapping[str, str]
) -> None:
    here, there = folders[REGION], folders[ELSEWHERE]
    there.delete("--data", "delete", "--yes")
    elsewhere = boto3.client("lambda", **credentials(there.endpoint) | {"region_name": ELSEWHERE})
    assert elsewhere.list_functions()["Functions"] == []
    roles = [each["RoleName"] for each in here.client("iam").list_roles()["Roles"]]
    assert len([name for name in roles if name.startswith("visits-dev-")]) == len(FUNCTIONS)
    assert get(addresses[REGION], keys[REGION], f"/properties/{REGION}").status_code == 200
    assert "me" in here.keys("list").stdout
    assert len(here.client("lambda").list_functions()["Functions"]) == len(FUNCTIONS)
    assert "App: chalice delete" in here.delete(), "the folder knows what it has deployed there"
    assert here.client("lambda").list_functions()["Functions"] == []
