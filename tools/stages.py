"""What the functions of a stage are told, for the tools that work with the same table and queue."""

import os
from typing import Any

from chalice.cli.factory import CLIFactory

from devstack.emulator import HOST, ROOT
from devstack.failure import CannotGoOn


def environment_of(stage: str, aws_port: int) -> dict[str, str]:
    """What the stage's functions are told; the local stage's AWS is the embedded one at that port."""
    config = CLIFactory(str(ROOT), environ=os.environ).create_config_obj(chalice_stage_name=stage)
    stages: Any = config.config_from_disk.get("stages", {})
    if stage not in stages:
        raise CannotGoOn(f"There is no stage '{stage}' in .chalice/config.json; there are: {', '.join(stages)}.")
    environment = dict(config.environment_variables)
    if "AWS_ENDPOINT_URL" in environment:
        # Neither the person's profile nor their proxy is for the embedded AWS.
        here = {"AWS_ENDPOINT_URL": f"http://{HOST}:{aws_port}", "AWS_CONFIG_FILE": os.devnull, "NO_PROXY": HOST}
        environment |= here
        os.environ.pop("AWS_PROFILE", None)
    return environment
