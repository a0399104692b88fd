"""`make pipeline`, `release-roles`, `network`, `images`, `console-stack`: templates, from the YAML in `templates`.

That is CloudFormation's own, with comments, plus two things that it lacks: a file that stands for several stages, and
one that two templates have in common. Words in angle brackets, such as <stage>, are filled in first.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from tools.deliver.console_headers import FRAMED, NOBODY, content_security_policy, security
from tools.project import ROOT

SOURCES: Final = Path(__file__).with_name("templates")
PIPELINE: Final = ROOT / "pipeline.json"
RELEASE: Final = ROOT / "release.json"
CONSOLE: Final = ROOT / ".chalice" / "console.json"
NETWORK: Final = ROOT / ".chalice" / "network.json"
IMAGES: Final = ROOT / ".chalice" / "images.json"

STAGES: Final = ("beta", "prod")
"""Of the pipeline. release.json is for one stage, whichever its parameter says."""

AWS_KEY: Final = "SSEAlgorithm: 'aws:kms'"
"""It asks for no permission of its own."""
OUR_KEY: Final = f"{AWS_KEY}, KMSMasterKeyID: !GetAtt PipelineKey.Arn"

NAMED_OTHERWISE: Final = frozenset(
    {"Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options"}
)
"""Headers that CloudFront knows."""

UNPREFIXED: Final = ("Condition", "Ref")

Part = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms too: !Ref, !GetAtt, !Sub and the like."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> Part:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"!{tag} of {node}")
    return {tag if tag in UNPREFIXED else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def pipeline() -> Part:
    of_stages = [
        _read(f"{name}.yaml", stage=stage, Stage=stage.title())
        for stage in STAGES
        for name in ("stage", "pipeline.stage")
    ]
    return _with_resources(_read("pipeline.yaml"), _read("buckets.yaml", encryption=OUR_KEY), *of_stages)


def release() -> Part:
    buckets = _read("buckets.yaml", encryption=AWS_KEY)["Resources"]
    own = {name: buckets[name] for name in ("ApplicationBucket", "ApplicationBucketPolicy")}
    return _with_resources(_read("release.yaml"), {"Resources": own}, _read("stage.yaml", stage="${Stage}", Stage=""))


def console() -> Part:
    """With the headers that the console's files have."""
    template = _read("console.yaml")
    for name, path in (("Headers", "index.html"), ("FramedHeaders", FRAMED)):
        template["Resources"][name]["Properties"]["ResponseHeadersPolicyConfig"] |= _headers(path)
    return template


def _headers(path: str) -> Part:
    """The headers of a page as CloudFront wants them: most by names of its own, the rest as they are."""
    said = security(path)
    parents = "${BookingParents}" if path == FRAMED else NOBODY
    policy = content_security_policy("${SignInDomain}", "${UploadsOrigin}", parents)
    own: Part = {
        "ContentSecurityPolicy": {"ContentSecurityPolicy": {"Fn::Sub": policy}},
        "ContentTypeOptions": {},
        "ReferrerPolicy": {"ReferrerPolicy": said["Referrer-Policy"]},
        "StrictTransportSecurity": {"AccessControlMaxAgeSec": int(said["Strict-Transport-Security"][8:])},
    }
    if "X-Frame-Options" in said:
        own["FrameOptions"] = {"FrameOption": said["X-Frame-Options"]}
    rest = [{"Header": name, "Value": said[name], "Override": True} for name in sorted(said.keys() - NAMED_OTHERWISE)]
    return {
        "SecurityHeadersConfig": {name: {**header, "Override": True} for name, header in own.items()},
        "CustomHeadersConfig": {"Items": rest},
    }


def _read(name: str, **words: str) -> Part:
    text = re.sub(r"<(\w+)>", lambda found: words[found[1]], (SOURCES / name).read_text(encoding="utf-8"))
    part: Part = yaml.load(text, _Loader)
    return part


def _with_resources(template: Part, *parts: Part) -> Part:
    resources = dict(template["Resources"])
    for part in parts:
        resources |= part["Resources"]
    return template | {"Resources": resources}


def network() -> Part:
    return _read("network.yaml")


def images() -> Part:
    return _read("images.yaml")


FILES: Final = {
    "pipeline": (PIPELINE, pipeline),
    "release": (RELEASE, release),
    "network": (NETWORK, network),
    "images": (IMAGES, images),
    "console": (CONSOLE, console),
}


def written(name: str) -> str:
    return json.dumps(FILES[name][1](), indent=1) + "\n"


if __name__ == "__main__":
    FILES[sys.argv[1]][0].write_text(written(sys.argv[1]), encoding="utf-8")
