"""The definition of the API that Chalice makes of our routes, as it was when somebody last looked at it.

`python -m tests.e2e.swagger` writes it anew, into swagger.json beside this.
"""

import json
from pathlib import Path
from typing import Any, Final

from chalice.config import Config
from chalice.deploy.appgraph import ApplicationGraphBuilder
from chalice.deploy.models import RestAPI
from chalice.deploy.swagger import CFNSwaggerGenerator

from app import app
from tools.project import ROOT

GOLDEN: Final = Path(__file__).with_suffix(".json")
STAGE: Final = "prod"


def generated() -> dict[str, Any]:
    """What Chalice hands to CloudFormation for our app, before anything of ours is merged into it."""
    settings = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    config = Config.create(
        chalice_app=app, chalice_stage=STAGE, project_dir=str(ROOT), app_name="visits", config_from_disk=settings
    )
    graph = ApplicationGraphBuilder().build(config, STAGE)
    (api,) = [resource for resource in graph.resources if isinstance(resource, RestAPI)]
    definition: dict[str, Any] = json.loads(json.dumps(CFNSwaggerGenerator().generate_swagger(app, api)))
    return definition


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(generated(), indent=1) + "\n", encoding="utf-8")
