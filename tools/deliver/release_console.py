"""`make release-console STAGE=beta URL=<the API>`: the console alone, as `make release` brings it up to date.

CodePipeline runs it after it tested the app. CONSOLE_ROLE_ARN names the role that CloudFormation takes on. With `ID=`
it makes an earlier release of the files live again.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3

from tools.deliver.cloudformation import outputs, pairs
from tools.deliver.console import Console, Files, answers, release_console, stack_of
from tools.failure import CannotGoOn
from tools.operate.refusals import told_in_words


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    try:
        with told_in_words():
            print(_back(given.stage, given.back) if given.back else _release(given))
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    return 0


def _release(given: argparse.Namespace) -> str:
    packaged = (given.folder / "console").exists()
    console = Console.made_in(given.folder, given.stage) if packaged else Console.of_this_folder(given.stage)
    wishes = pairs(given.parameters)
    role = os.environ.get("CONSOLE_ROLE_ARN", "")
    return f"The console is at {release_console(console, given.stage, given.url, wishes, answers, role)}"


def _back(stage: str, release: str) -> str:
    made = outputs(boto3.client("cloudformation"), stack_of(stage))
    if not made:
        raise CannotGoOn(f"The stage {stage} has no console.")
    files = Files(boto3.client("s3"), made["Bucket"])
    before = files.live()
    files.go_to(release)
    return f"The console {release} is live at {made['Url']}, instead of {before}."


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make release-console", description="Releases a stage's console.")
    parser.add_argument("stage", help="the stage whose console it is")
    parser.add_argument("--folder", type=Path, default=Path(), help="the output folder of `make package`, if any")
    parser.add_argument("--url", default="", help="the address of the API")
    parser.add_argument("--parameters", default="", help='of the template: "ConsoleDomain=... CertificateArn=..."')
    parser.add_argument("--back", default="", help="an earlier release, by its name in the bucket")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
