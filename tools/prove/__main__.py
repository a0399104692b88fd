"""`make prove PROFILE=...`: tries in a real account what the embedded AWS cannot show, and leaves nothing behind.

It deploys the stage `trial`, checks every claim, deletes all it made, also after a failure or Ctrl-C, and writes
build/proof.md. Whatever an earlier trial left is deleted first.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from chalicelib.functions import FUNCTIONS
from tools.deliver.deploy import agreed
from tools.failure import CannotGoOn
from tools.operate.refusals import sentence, told_in_words
from tools.project import ROOT
from tools.prove.claims import CLAIMS, Claim
from tools.prove.sweep import sweep
from tools.prove.trial import DoesNotHold, NotTried, Trial, Wishes, trial_of

PROOF: Final = ROOT / "build" / "proof.md"
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OK, FAILED, INTERRUPTED = 0, 1, 130

BEFOREHAND: Final = """\
This deploys a stage of its own, `trial`, to the {place}:
  a table, queues, a bucket, a user pool (stack visits-data-trial),
  an API, {functions} functions with their roles and logs.{more}
It sends them some thousand calls, for about twenty minutes, and costs less than one US dollar.
Then it deletes everything whose name is visits-trial, or begins with visits-trial-, in that account and Region.
DynamoDB keeps a backup of the deleted table for 35 days, free of charge; X-Ray its traces for 30."""


CONSOLE: Final = """
  a distribution of CloudFront with the console (stack visits-console-trial), half an hour more to come and to go."""
MAIL: Final = """
  two mails from {sender} to mailboxes of SES's simulator (stack visits-trial-mail)."""
INBOX: Final = """
  a rule for {inbox} in the active rule set of SES, and one mail to it."""


class Verdict(StrEnum):
    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Finding:
    claim: Claim
    verdict: Verdict
    seen: str


def prove(session: Session, project: Path, wishes: Wishes, findings: list[Finding]) -> None:
    """The whole course. What was found until something went wrong is in `findings`."""
    with one_interruption() as quiet, tempfile.TemporaryDirectory(prefix="visits-trial-") as folder:
        try:
            try:
                _say("Deleting what an earlier trial left, if there was one")
                sweep(session, _say)
                trial = Trial(session, trial_of(project, Path(folder, "project")), wishes)
                trial.deploy()
                for claim in CLAIMS:
                    findings.append(examined(claim, trial))
                    _say(f"{findings[-1].verdict:14} {claim.name}: {findings[-1].seen}")
            finally:
                quiet()
        finally:
            _say("Deleting everything of the trial")
            sweep(session, _say)


def examined(claim: Claim, trial: Trial) -> Finding:
    if trial.emulated and claim.lacking:
        return Finding(claim, Verdict.NOT_TRIED, f"the embedded AWS cannot show it: {claim.lacking}")
    try:
        return Finding(claim, Verdict.HOLDS, claim.check(trial))
    except DoesNotHold as seen:
        return Finding(claim, Verdict.DOES_NOT_HOLD, str(seen))
    except NotTried as why:
        return Finding(claim, Verdict.NOT_TRIED, str(why))
    except (BotoCoreError, ClientError) as fault:
        return Finding(claim, Verdict.NOT_TRIED, sentence(fault))
    # Whatever it is, the other claims are to be looked at.
    except Exception as fault:
        return Finding(claim, Verdict.NOT_TRIED, f"{type(fault).__name__}: {fault}")


@contextlib.contextmanager
def one_interruption() -> Iterator[Callable[[], None]]:
    """Only the first signal interrupts the block, and none once what it gives was called: what follows is deleting."""
    armed = True

    def interrupted(*_: object) -> None:
        nonlocal armed
        if armed:
            armed = False
            raise KeyboardInterrupt
        print("The trial is being deleted; please wait.", file=sys.stderr, flush=True)

    def quiet() -> None:
        nonlocal armed
        armed = False

    before = {number: signal.signal(number, interrupted) for number in SIGNALS}
    try:
        yield quiet
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def written(findings: Sequence[Finding], place: str, ended: str) -> str:
    """The proof, for people."""
    lines = [
        "# What holds on AWS",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {place}. {ended}",
        "",
        "| claim | AWS says | verdict | seen |",
        "| --- | --- | --- | --- |",
    ]
    for found in findings:
        seen = " ".join(found.seen.replace("|", "\\|").split())
        lines.append(
            f"| {found.claim.name} | [{found.claim.says}]({found.claim.page}) | **{found.verdict}** | {seen} |"
        )
    not_reached = [claim.name for claim in CLAIMS[len(findings) :]]
    if not_reached:
        lines += ["", f"Not reached: {'; '.join(not_reached)}."]
    return "\n".join(lines) + "\n"


def run(session: Session, place: str, wishes: Wishes) -> int:
    findings: list[Finding] = []
    began, code, ended = time.monotonic(), OK, "Everything that was made is deleted."
    try:
        with told_in_words():
            prove(session, ROOT, wishes, findings)
    except KeyboardInterrupt:
        code, ended = INTERRUPTED, "Interrupted. Everything that was made is deleted."
    except CannotGoOn as why:
        code, ended = FAILED, str(why)
    PROOF.parent.mkdir(exist_ok=True)
    PROOF.write_text(written(findings, place, ended), encoding="utf-8")
    counts = ", ".join(f"{sum(it.verdict is verdict for it in findings)} {verdict}" for verdict in Verdict)
    print(f"{ended} {counts}, in {(time.monotonic() - began) / 60:.0f} minutes: {PROOF}")
    return code or FAILED * any(it.verdict is Verdict.DOES_NOT_HOLD for it in findings)


def _more(wishes: Wishes) -> Iterator[str]:
    """What is made besides, because it was asked for."""
    if wishes.console:
        yield CONSOLE
    if wishes.sender:
        yield MAIL.format(sender=wishes.sender)
        if wishes.inbox:
            yield INBOX.format(inbox=wishes.inbox)


def _say(what: str) -> None:
    print(what, flush=True)


def main(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    given = _arguments(arguments)
    # Chalice packages whatever bytecode lies about.
    sys.dont_write_bytecode = True
    session = session or Session(profile=given.profile or None)
    try:
        with told_in_words():
            sts: Any = session.create_client("sts")
            place = f"account {sts.get_caller_identity()['Account']}, {sts.meta.region_name}"
        wishes = Wishes(given.console, given.mail, given.inbox)
        _say(BEFOREHAND.format(place=place, functions=len(FUNCTIONS), more="".join(_more(wishes))))
        if not given.yes and not agreed("Go on"):
            raise CannotGoOn("Nothing was made. YES=1 skips the question.")
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return FAILED
    return run(session, place, wishes)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools.prove", description=__doc__)
    parser.add_argument("--profile", default="", help="of ~/.aws/config; without one, what the environment says")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--console", default="", choices=("", "yes"), help="CloudFront too, which takes its time")
    parser.add_argument("--mail", default="", help="a sender that SES has verified: tries SES too")
    parser.add_argument("--inbox", default="", help="with --mail, an address that SES receives mail for")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
