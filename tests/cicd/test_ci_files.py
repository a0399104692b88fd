"""GitLab's and GitHub's files: what their checkers say, what these cannot know, and that every check would object."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cicd.ci_checks import CHECK, DELIVER, FILES, GITLAB, RELEASE
from tests.cicd.ci_checks import findings as own_findings
from tests.cicd.codebuild import clean_clone
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

BREAKS = [
    ("schema", GITLAB, "resource_group: beta", "resource_groups: beta\n  timeout: []", "timeout"),
    ("schema", CHECK, "runs-on: ubuntu-24.04", "run-on: ubuntu-24.04", "run-on"),
    ("zizmor", CHECK, "persist-credentials: false", "fetch-depth: 1", "artipacked"),
    ("zizmor", RELEASE, 'make release STAGE="$STAGE"', "make release STAGE=${{ inputs.stage }}", "template-injection"),
    ("zizmor", DELIVER, "permissions: {}", "permissions: write-all", "excessive-permissions"),
    ("zizmor", CHECK, "pull_request:", "pull_request_target:", "dangerous-triggers"),
    ("zizmor", DELIVER, "@b7c566a772e6b6bfb58ed0dc250532a479d7789f # v6.0.0", "@v6", "unpinned-uses"),
    ("actionlint", DELIVER, "needs: beta", "needs: bta", "does not exist"),
    ("actionlint", RELEASE, "inputs.deployment-type }}", "inputs.deployment }}", "not defined"),
    ("actionlint", RELEASE, "vars.AWS_REGION", "var.AWS_REGION", "undefined variable"),
    ("ours", RELEASE, "@37930b1c2abaa49bbe596cd826c3c89aef350131", "@v7.0.0", "not pinned"),
    ("ours", DELIVER, "      stage: prod\n", "      phase: prod\n", "without its input stage"),
    ("ours", DELIVER, "      deployment-type:", "      kind:", "knows no kind"),
    ("ours", GITLAB, "make package", "make packages", "no target packages"),
    ("ours", RELEASE, "make release", "make releases", "no target releases"),
    ("ours", GITLAB, "- make test", "- make static", "make test"),
    ("ours", GITLAB, "  stage: test\n", "  stage: test\n  allow_failure: true\n", "make test"),
    ("ours", CHECK, "run: make test", "run: make static", "make test"),
    ("ours", CHECK, "run: make test", "run: make test || true", "make test"),
    ("ours", CHECK, "run: make test", "run: make test\n        continue-on-error: true", "make test"),
    ("ours", RELEASE, "role-to-assume:", "aws-secret-access-key:", "stored"),
    ("ours", DELIVER, "VISITS_KEY: ${{ secrets.VISITS_KEY }}", "VISITS_KEY: ${{ secrets.ADMIN }}", "secret ADMIN"),
    ("ours", CHECK, "contents: read # the code", "contents: read\n      id-token: write", "may do"),
    ("ours", CHECK, "    timeout-minutes: 60\n", "", "for ever"),
    ("ours", GITLAB, "resource_group: prod", "resource_group: $CI_JOB_ID", "overlap"),
    ("ours", GITLAB, "      when: manual\n", "", "pressed"),
    ("ours", GITLAB, "needs: [package, beta]", "needs: [package]", "wait"),
    ("ours", GITLAB, '== "develop"\n', '=~ "feature"\n', "develop alone"),
    ("ours", GITLAB, "    name: beta", "    name: staging", "releases"),
    ("ours", DELIVER, "needs: beta", "needs: package", "wait"),
    ("ours", DELIVER, "if: github.ref == 'refs/heads/main'", "if: always()", "main alone"),
    ("ours", RELEASE, "      cancel-in-progress: false", "      cancel-in-progress: true", "cut off"),
    ("ours", GITLAB, "image: python:3.13-", "image: python:3.12-", "not Python"),
    ("ours", DELIVER, 'python-version: "3.13"', 'python-version: "3.11"', "is not"),
    ("ours", GITLAB, "aud: sts.amazonaws.com", "aud: https://gitlab.com", "does not trust"),
    ("ours", RELEASE, "      name: ${{ inputs.stage }}", "      name: aws", "environment of the stage"),
]


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_ci_files_are_as_their_checkers_want_them(checker: str) -> None:
    assert CHECKERS[checker](ROOT) == ""


@pytest.mark.parametrize(("checker", "file", "good", "bad", "words"), BREAKS)
def test_a_slip_in_a_ci_file_is_found(copy: Path, checker: str, file: str, good: str, bad: str, words: str) -> None:
    text = (copy / file).read_text(encoding="utf-8")
    assert good in text
    (copy / file).write_text(text.replace(good, bad), encoding="utf-8")
    assert words in CHECKERS[checker](copy)


def test_gitlabs_build_job_packages_a_fresh_clone(tmp_path: Path) -> None:
    """As GitLab's runner does it, but in a shell of this machine instead of a container."""
    clone = repository(tmp_path)
    said = gitlab(clone, "package")
    assert "PASS" in said, said
    made = {file.name for file in (clone / "build" / "package").iterdir()}
    stages = {"data.json", "dev.json", "beta.json", "prod.json"}
    assert made == {"deployment.zip", "bom.cdx.json", "console.json", "console", *stages}


def test_gitlabs_build_job_fails_when_there_is_nothing_to_package(tmp_path: Path) -> None:
    clone = repository(tmp_path)
    (clone / "app.py").write_text("this is no Python\n", encoding="utf-8")
    said = gitlab(clone, "package")
    assert "FAIL" in said, said
    assert not (clone / "build" / "package" / "beta.json").exists()


def gitlab(clone: Path, job: str) -> str:
    """What gitlab-ci-local says of a job that it runs in the clone."""
    command = node("gitlab-ci-local/dist/index.js", "--force-shell-executor", "--home", clone.parent / "home", job)
    # It copies the clone by rsync for jobs in containers; the shell works in the clone itself and wants no copy.
    no_copy = clone.parent / "bin"
    no_copy.mkdir(exist_ok=True)
    (no_copy / "rsync").write_text("#!/bin/sh\n", encoding="utf-8")
    (no_copy / "rsync").chmod(0o755)
    surroundings = os.environ | {"PATH": f"{no_copy}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=clone, env=surroundings, stdin=subprocess.DEVNULL
    )
    return done.stdout + done.stderr


def repository(folder: Path) -> Path:
    """A clean clone that Git has just made. CodeBuild, where this runs too, is given the files without Git."""
    clone = clean_clone(folder)
    whoever = ["-c", "user.name=Ada", "-c", "user.email=ada@visits.example"]
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        [*whoever, "commit", "--quiet", "--message", "All"],
        ["remote", "add", "origin", "https://gitlab.com/agency/visits.git"],
    ):
        subprocess.run(["git", *command], cwd=clone, check=True)
    return clone
