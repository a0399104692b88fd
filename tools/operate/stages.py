"""A stage's table and queue for the tools, which reach them as everybody reaches AWS: by boto3, with any profile.

The clients of the run time know no service but their own two, and so can neither sign in nor assume a role.
"""

import os
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from chalice.cli.factory import CLIFactory

from chalicelib.container import CLIENT
from chalicelib.repositories.table import Table
from chalicelib.settings import Settings
from tools.failure import CannotGoOn
from tools.project import HOST, ROOT

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PATIENT: Final = Config(connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
"""For what takes its time: a queue that is waited at."""

THEIRS: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL")


def enter(stage: str, aws_port: int) -> Settings:
    """Makes the stage this process's own: what its functions are told is in the environment from now on."""
    os.environ.update(_environment_of(stage, aws_port))
    return Settings.from_environment(os.environ)


def table_of(settings: Settings) -> Table:
    return Table(boto3.Session().client("dynamodb", config=CLIENT), settings.table_name)


def sqs() -> "SQSClient":
    return boto3.Session().client("sqs", config=PATIENT)


def _environment_of(stage: str, aws_port: int) -> dict[str, str]:
    """What the stage's functions are told; the local stage's AWS is the embedded one at that port."""
    config = CLIFactory(str(ROOT), environ=os.environ).create_config_obj(chalice_stage_name=stage)
    stages: Any = config.config_from_disk.get("stages", {})
    if stage not in stages:
        raise CannotGoOn(f"There is no stage '{stage}' in .chalice/config.json; there are: {', '.join(stages)}.")
    environment = dict(config.environment_variables)
    if "AWS_ENDPOINT_URL" in environment:
        # The person's profile, session and other endpoints are not for the embedded AWS, nor is their proxy.
        for name in [name for name in os.environ if name.startswith(THEIRS)]:
            del os.environ[name]
        here = {"AWS_ENDPOINT_URL": f"http://{HOST}:{aws_port}", "AWS_CONFIG_FILE": os.devnull, "NO_PROXY": HOST}
        environment |= here
    return environment
