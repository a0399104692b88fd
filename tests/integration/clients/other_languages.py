"""Clients by openapi-generator in languages that not every machine has: `make clients` runs these too."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.clients.generators import TOURS, openapi_generator, tour

NEEDED = {
    "go": "go (Debian: golang-go and golang-gopkg-validator.v2-dev)",
    "php": "php (Debian: php-cli, php-curl, php-mbstring and php-guzzlehttp-guzzle)",
    "ruby": "ruby (Debian: ruby and ruby-typhoeus)",
}


def needs(toolchain: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(toolchain) is None, reason=f"not on this machine: {NEEDED[toolchain]}")


@needs("go")
def test_a_client_in_go_does_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    # Its one library comes from Debian, which lays packages out as before there were modules.
    source = tmp_path / "src" / "visits"
    openapi_generator("go", source / "client", "--additional-properties", "packageName=client")
    shutil.copy(TOURS / "tour.go", source / "tour.go")
    environment = {
        **service,
        "GO111MODULE": "off",
        "GOPATH": f"{tmp_path}:/usr/share/gocode",
        "GOCACHE": str(tmp_path / "cache"),
        "TMPDIR": str(tmp_path),
    }
    tour(["go", "run", "visits"], source, environment)


@needs("php")
def test_a_client_in_php_does_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    # Without the option, its one class of all problems of a status refuses all but one of them.
    openapi_generator("php", tmp_path / "client", "--additional-properties", "enumUnknownDefaultCase=true")
    tour(["php", TOURS / "tour.php"], tmp_path, service)


@needs("ruby")
def test_a_client_in_ruby_does_the_tour(service: Mapping[str, str], tmp_path: Path) -> None:
    openapi_generator("ruby", tmp_path)
    tour(["ruby", "-I", tmp_path / "lib", TOURS / "tour.rb"], tmp_path, service)
