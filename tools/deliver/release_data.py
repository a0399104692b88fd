"""`make release-data STAGE=beta`: the data stack alone, as `make release` brings it up to date.

CodePipeline runs it before it deploys the app, which is told what the files of build/data say. DATA_ROLE_ARN names the
role that CloudFormation takes on.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

import boto3

from tools.deliver.console import origin_of
from tools.deliver.data_stack import bring_data_up_to_date, template_of, told_to_app
from tools.failure import CannotGoOn
from tools.operate.refusals import told_in_words
from tools.project import ROOT

TOLD: Final = ROOT / "build" / "data"
"""A file for each output of the data stack that the app's template asks for."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make release-data", description="Brings a stage's data stack up to date.")
    parser.add_argument("stage", help="the stage whose data it is")
    stage: str = parser.parse_args(arguments).stage
    role = os.environ.get("DATA_ROLE_ARN", "")
    try:
        with told_in_words():
            cloudformation, dynamodb = boto3.client("cloudformation"), boto3.client("dynamodb")
            uploads = {"SheetsOrigin": origin_of(cloudformation, stage)}
            print(bring_data_up_to_date(cloudformation, dynamodb, stage, template_of(stage), role, uploads))
            TOLD.mkdir(parents=True, exist_ok=True)
            for name, value in told_to_app(cloudformation, stage).items():
                (TOLD / name).write_text(value, encoding="utf-8")
    except CannotGoOn as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
