"""What no linter of GitLab's and GitHub's files knows of this project: each check gives what it finds, for people."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tools.project import ROOT, pinned_python

GITLAB: Final = ".gitlab-ci.yml"
CHECK, DELIVER, RELEASE = (f".github/workflows/{name}.yml" for name in ("check", "deliver", "release"))
FILES: Final = (GITLAB, CHECK, DELIVER, RELEASE)

PINNED: Final = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
STORED: Final = re.compile(r"AWS_SECRET_ACCESS_KEY|AWS_ACCESS_KEY_ID|aws-access-key-id|aws-secret-access-key|\bAKIA")
SECRETS: Final = {"VISITS_KEY"}
"""An API key of our own service, for the smoke test. Of AWS nothing is stored."""


@dataclass(frozen=True)
class Files:
    """The CI files of a folder, as text and as what they say."""

    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def said(self, name: str) -> dict[Any, Any]:
        content: dict[Any, Any] = yaml.safe_load(self.text(name))
        return content

    @property
    def gitlab_jobs(self) -> Mapping[str, dict[str, Any]]:
        """GitLab's jobs, each with what it extends."""
        said = self.said(GITLAB)
        words = {"stages", "workflow", "default", "variables"}
        jobs = {name: job for name, job in said.items() if name not in words and not name.startswith(".")}
        return {name: {**said.get(job.get("extends"), {}), **job} for name, job in jobs.items()}

    @property
    def github_jobs(self) -> Mapping[str, dict[str, Any]]:
        return {f"{file}: {name}": job for file in FILES[1:] for name, job in self.said(file)["jobs"].items()}


def findings(folder: Path) -> list[str]:
    return [finding for check in CHECKS for finding in check(Files(folder))]


def _unpinned_actions(files: Files) -> Iterator[str]:
    for name in FILES:
        for used in re.findall(r"uses: (.+)", files.text(name)):
            if not used.startswith("./") and not PINNED.fullmatch(used):
                yield f"{name}: {used} is not pinned by commit with its version beside it"


def _unknown_targets(files: Files) -> Iterator[str]:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name in FILES:
        for target in re.findall(r"(?:run:|- |^ +)\s*make ([\w-]+)", files.text(name), re.MULTILINE):
            if target not in targets:
                yield f"{name}: the Makefile has no target {target}"


def _all_tests(files: Files) -> Iterator[str]:
    """A test that fails stops everything."""
    test = files.gitlab_jobs["test"]
    if test["script"] != ["make test"] or test.keys() & {"allow_failure", "rules", "when"}:
        yield f"{GITLAB}: does not make test, whatever comes of it"
    test = files.said(CHECK)["jobs"]["test"]
    made = [step for step in test["steps"] if step.get("run") == "make test"]
    if not made or any({"continue-on-error", "if"} & each.keys() for each in (test, *made)):
        yield f"{CHECK}: does not make test, whatever comes of it"


def _stored_keys(files: Files) -> Iterator[str]:
    for name in FILES:
        text = files.text(name)
        if STORED.search(text):
            yield f"{name}: a key of AWS is stored"
        yield from (f"{name}: the secret {each}" for each in set(re.findall(r"secrets\.(\w+)", text)) - SECRETS)


def _permissions(files: Files) -> Iterator[str]:
    """Who may ask for a token that AWS takes: what releases, and nothing that a pull request runs."""
    for name in FILES[1:]:
        if files.said(name).get("permissions") != {}:
            yield f"{name}: permissions that are not said job by job"
    for name, job in files.github_jobs.items():
        releases = name.startswith(RELEASE) or job.get("uses", "").endswith("release.yml")
        wanted = {"contents": "read", **({"id-token": "write"} if releases else {})}
        if job.get("permissions") != wanted:
            yield f"{name}: may do {job.get('permissions')}"
        if releases and "runs-on" in job and "environment" not in job:
            yield f"{name}: releases without an environment, which nobody can protect"
    for name, job in files.gitlab_jobs.items():
        if ("id_tokens" in job) != ("environment" in job):
            yield f"{GITLAB}: {name} has a token without an environment, or the reverse"


def _timeouts(files: Files) -> Iterator[str]:
    yield from (
        f"{name}: runs for ever"
        for name, job in files.github_jobs.items()
        if "runs-on" in job and "timeout-minutes" not in job
    )
    yield from (f"{GITLAB}: {name} runs for ever" for name, job in files.gitlab_jobs.items() if "timeout" not in job)


def _calls(files: Files) -> Iterator[str]:
    """What is handed to a workflow that is called: actionlint knows only the file before it."""
    for name, job in files.github_jobs.items():
        if called := job.get("uses"):
            # YAML 1.1 takes `on` for a boolean.
            wanted = files.said(called.removeprefix("./"))[True]["workflow_call"] or {}
            for kind, given in (("inputs", job.get("with", {})), ("secrets", job.get("secrets", {}))):
                known = wanted.get(kind, {})
                yield from (f"{name}: {called} knows no {each}" for each in given.keys() - known.keys())
                needed = {each for each, what in known.items() if what.get("required")}
                yield from (f"{name}: without its input {each}" for each in needed - given.keys())


def _ways(files: Files) -> Iterator[str]:
    """develop goes to dev, main to beta and then, when somebody says so, to prod; one release of a stage at a time."""
    stages = set(json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))["stages"]) - {"local"}
    jobs = files.gitlab_jobs
    released = {job["environment"]["name"]: (name, job) for name, job in jobs.items() if "environment" in job}
    called = {name: job for name, job in files.said(DELIVER)["jobs"].items() if "with" in job}
    for file, names in ((GITLAB, set(released)), (DELIVER, {job["with"].get("stage") for job in called.values()})):
        if names != stages:
            yield f"{file}: releases {sorted(map(str, names))}, and there are {sorted(stages)}"
    for stage, (name, job) in released.items():
        if job.get("resource_group") != stage:
            yield f"{GITLAB}: two releases of {name} may overlap"
        branch = "develop" if stage == "dev" else "main"
        if [rule.get("if") for rule in job["rules"]] != [f'$CI_COMMIT_BRANCH == "{branch}"']:
            yield f"{GITLAB}: {name} is not released from {branch} alone"
        if (job["rules"][0].get("when") == "manual") != (stage == "prod"):
            yield f"{GITLAB}: {name} is to be pressed, or prod is not"
        if not {"package", "beta" if stage == "prod" else "test"} <= set(job["needs"]):
            yield f"{GITLAB}: {name} does not wait for what comes before it"
    for name, job in called.items():
        needs = job["needs"] if isinstance(job["needs"], list) else [job["needs"]]
        if not {"beta"} <= set(needs) if name == "prod" else not {"check", "package"} <= set(needs):
            yield f"{DELIVER}: {name} does not wait for what comes before it"
        source = {"dev": "develop", "beta": "main"}.get(name)
        if source and job.get("if") != f"github.ref == 'refs/heads/{source}'":
            yield f"{DELIVER}: {name} is not released from {source} alone"
    for name, job in files.said(RELEASE)["jobs"].items():
        if job["concurrency"] != {"group": "release-${{ inputs.stage }}", "cancel-in-progress": False}:
            yield f"{RELEASE}: two releases of a stage may overlap, or one is cut off ({name})"


def _python(files: Files) -> Iterator[str]:
    """What packages is the Python that is packaged for."""
    pin = ".".join(map(str, pinned_python()))
    image = files.said(GITLAB)["default"]["image"]
    if not image.startswith(f"python:{pin}-"):
        yield f"{GITLAB}: {image} is not Python {pin}"
    for name in FILES[1:]:
        for version in re.findall(r'python-version: "(.+)"', files.text(name)):
            if version != pin:
                yield f"{name}: Python {version} is not {pin}"


def _trust(files: Files) -> Iterator[str]:
    """The tokens are made for whom release.json's role takes them from."""
    trusted = (ROOT / "release.json").read_text(encoding="utf-8")
    for name, job in files.gitlab_jobs.items():
        for token in job.get("id_tokens", {}).values():
            if f'gitlab.com:aud": "{token["aud"]}"' not in trusted:
                yield f"{GITLAB}: release.json does not trust what {name} presents"
    if files.said(RELEASE)["jobs"]["release"].get("environment", {}).get("name") != "${{ inputs.stage }}":
        yield f"{RELEASE}: release.json trusts the environment of the stage alone"


CHECKS: Final[tuple[Callable[[Files], Iterator[str]], ...]] = (
    _unpinned_actions,
    _unknown_targets,
    _all_tests,
    _stored_keys,
    _permissions,
    _timeouts,
    _calls,
    _ways,
    _python,
    _trust,
)
