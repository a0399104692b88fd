"""The whole template: what Chalice generates, and what makes this project's pipeline of it."""

import json
import tomllib
from typing import Any, Final

from chalice.pipeline import CreatePipelineTemplateV2, PipelineParameters

from tools.generate.pipeline.builds import Builds
from tools.generate.pipeline.delivery import Delivery, PullRequests
from tools.generate.pipeline.language import SERVICE, Part
from tools.generate.pipeline.notices import Notices
from tools.generate.pipeline.roles import Roles
from tools.generate.pipeline.stores import Stores
from tools.project import ROOT

FILE: Final = ROOT / "pipeline.json"
LINE: Final = 1600
"""How long a line of pipeline.json may be."""


class PipelineTemplate(CreatePipelineTemplateV2):
    """Chalice's starter, grown. Each part replaces what of the starter is its own business."""

    def create_template(self, pipeline_params: PipelineParameters) -> dict[str, Any]:
        template: dict[str, Any] = super().create_template(pipeline_params)
        # The names are the service's: table, queues and policies have them too.
        del template["Parameters"]["ApplicationName"]
        for part in (Stores(), Builds(), Roles(), Notices(), Delivery(), PullRequests()):
            part.add_to_template(template, pipeline_params)
        return template


def template() -> Part:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    python = f"python{pyproject['tool']['visits']['python']}"
    parameters = PipelineParameters(SERVICE, python, code_source="github", pipeline_version="v2")
    made: Part = PipelineTemplate().create_template(parameters)
    return {"Description": "Property Visits: from a push to production. Written by make pipeline.", **made}


def written() -> str:
    """The text of pipeline.json. CloudFormation takes 51,200 bytes of it, hence no line for every bracket."""
    return _text(template(), 0) + "\n"


def _text(part: object, depth: int) -> str:
    """What fits into a line is in one, and so is each statement of a policy."""
    line = json.dumps(part, separators=(",", ":"))
    if not isinstance(part, dict | list) or len(line) + depth <= LINE or "Effect" in part:
        return line
    # Brackets around one thing alone open and close with it.
    inner = depth if len(part) == 1 else depth + 1
    start, end, between = (
        ("", "", "") if len(part) == 1 else ("\n" + " " * inner, "\n" + " " * depth, ",\n" + " " * inner)
    )
    if isinstance(part, list):
        return f"[{start}{between.join(_text(each, inner) for each in part)}{end}]"
    members = (f"{json.dumps(name)}:{_text(each, inner)}" for name, each in part.items())
    return f"{{{start}{between.join(members)}{end}}}"
