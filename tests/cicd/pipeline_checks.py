"""What is wrong with a pipeline that no linter sees: a name that leads nowhere, and would be found by a failed release.

CloudFormation takes a pipeline's action names, artifacts, variables and parameters for mere text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PROVIDERS: Final = {
    "Source": {"CodeStarSourceConnection"},
    "Build": {"CodeBuild"},
    "Test": {"CodeBuild"},
    "Deploy": {"CloudFormation"},
    "Approval": {"Manual"},
}

MODES: Final = {
    "CHANGE_SET_REPLACE": {"StackName", "ChangeSetName", "TemplatePath", "RoleArn", "Capabilities"},
    "CHANGE_SET_EXECUTE": {"StackName", "ChangeSetName"},
}
"""The modes of CloudFormation's action that a release by change set has, and what each cannot do without."""

SOURCE_VARIABLES: Final = {
    "AuthorDate",
    "BranchName",
    "CommitId",
    "CommitMessage",
    "ConnectionArn",
    "FullRepositoryName",
}
"""What a source by connection tells about a push."""

EXECUTION_STATES: Final = {
    *("CANCELED", "FAILED", "RESUMED", "STARTED", "STOPPED", "STOPPING", "SUCCEEDED", "SUPERSEDED")
}
STATES: Final = {
    "CodePipeline Pipeline Execution State Change": EXECUTION_STATES,
    "CodePipeline Stage Execution State Change": EXECUTION_STATES - {"SUPERSEDED"},
}
"""The events of CodePipeline that rules ask for, and the states that they tell of."""

OVERRIDES_BYTES: Final = 1000

Part = dict[str, Any]


@dataclass(frozen=True)
class Repository:
    """What the pipeline builds upon: the build specs, and the templates that the build hands on."""

    specs: Mapping[str, Part]
    templates: Mapping[str, Part]


def findings(template: Part, repository: Repository) -> list[str]:
    """Everything that is wrong, in words."""
    resources = template["Resources"]
    found = [*_roles(resources), *_specs(resources, repository), *_rules(resources)]
    for name, resource in resources.items():
        if resource["Type"] == "AWS::CodePipeline::Pipeline":
            found += [f"{name}: {each}" for each in _Pipeline(resources, resource["Properties"], repository).findings()]
    return found


def stages_of(pipeline: Part) -> list[Part]:
    """Every stage that a pipeline may have, those of a condition too."""
    return [stage["Fn::If"][1] if "Fn::If" in stage else stage for stage in pipeline["Stages"]]


class _Pipeline:
    """One pipeline, read in the order in which it runs."""

    def __init__(self, resources: Part, properties: Part, repository: Repository) -> None:
        self._resources = resources
        self._properties = properties
        self._repository = repository
        self._artifacts: dict[str, set[str] | None] = {}
        """What earlier actions have handed on, and the files in it; None where any file may be."""
        self._variables: dict[str, set[str]] = {}
        self._change_sets: dict[str, str] = {}
        """The template of each change set that was made and not yet executed."""

    def findings(self) -> Iterator[str]:
        sources = [action["Name"] for action in self._actions() if action["ActionTypeId"]["Category"] == "Source"]
        for trigger in self._properties.get("Triggers", []):
            if (source := trigger["GitConfiguration"]["SourceActionName"]) not in sources:
                yield f"the trigger waits for a source action {source}, and there is none"
        first, *_ = self._properties["Stages"]
        if "OnFailure" in first:
            yield f"the stage {first['Name']} cannot be rolled back"
        for action in self._actions():
            yield from (f"{action['Name']}: {each}" for each in self._action(action))
        for change_set in self._change_sets:
            yield f"the change set {change_set} is never executed"

    def _actions(self) -> Iterator[Part]:
        for stage in stages_of(self._properties):
            yield from sorted(stage["Actions"], key=lambda action: int(action["RunOrder"]))

    def _action(self, action: Part) -> Iterator[str]:
        kind, configuration = action["ActionTypeId"], action["Configuration"]
        if kind["Provider"] not in PROVIDERS.get(kind["Category"], set()):
            yield f"no provider {kind['Provider']} in the category {kind['Category']}"
        for artifact in action.get("InputArtifacts", []):
            if artifact["Name"] not in self._artifacts:
                yield f"takes the artifact {artifact['Name']}, which no earlier action hands on"
        for namespace, variable in re.findall(r"#{(\w+)\.(\w+)}", json.dumps(configuration)):
            if variable not in self._variables.get(namespace, set()):
                yield f"uses #{{{namespace}.{variable}}}, which no earlier action tells"
        if kind["Provider"] == "CloudFormation":
            yield from self._deploys(action)
        elif kind["Provider"] == "CodeBuild":
            yield from self._builds(action)
        elif kind["Category"] == "Source":
            self._hand_on(action, None, SOURCE_VARIABLES)

    def _hand_on(self, action: Part, files: set[str] | None, variables: set[str]) -> None:
        for artifact in action.get("OutputArtifacts", []):
            self._artifacts[artifact["Name"]] = files
        if "Namespace" in action:
            self._variables[action["Namespace"]] = variables

    def _builds(self, action: Part) -> Iterator[str]:
        project = self._resources.get(action["Configuration"]["ProjectName"].get("Ref"), {})
        if project.get("Type") != "AWS::CodeBuild::Project":
            yield f"builds {action['Configuration']['ProjectName']}, which is no project"
            return
        for variables in _alternatives(action["Configuration"].get("EnvironmentVariables", "[]")):
            yield from _environment(variables)
        spec = self._repository.specs.get(project["Properties"]["Source"]["BuildSpec"], {})
        files = set(spec.get("artifacts", {}).get("files", []))
        if action.get("OutputArtifacts") and not files:
            yield "hands on an artifact, and its build spec makes none"
        self._hand_on(action, files, set(spec.get("env", {}).get("exported-variables", [])))

    def _deploys(self, action: Part) -> Iterator[str]:
        configuration = action["Configuration"]
        mode = configuration.get("ActionMode")
        if mode not in MODES:
            yield f"no action mode {mode}"
            return
        for missing in sorted(MODES[mode] - set(configuration)):
            yield f"a {mode} needs {missing}"
        if MODES[mode] - set(configuration):
            return
        change_set = f"{configuration['ChangeSetName']} of {configuration['StackName']}"
        if mode == "CHANGE_SET_EXECUTE":
            if change_set not in self._change_sets:
                yield f"executes the change set {change_set}, which nobody made"
                return
            template = self._repository.templates[self._change_sets.pop(change_set)]
            self._hand_on(action, set(), set(template.get("Outputs", {})))
            return
        artifact, separator, file = configuration["TemplatePath"].partition("::")
        if artifact not in [each["Name"] for each in action.get("InputArtifacts", [])]:
            yield f"its template is in the artifact {artifact}, which it does not take"
        elif not separator or file not in (self._artifacts.get(artifact) or set()):
            yield f"the artifact {artifact} has no file {file}"
        if file not in self._repository.templates:
            return
        self._change_sets[change_set] = file
        yield from _parameters(configuration.get("ParameterOverrides", "{}"), self._repository.templates[file])


def _parameters(overrides: object, template: Part) -> Iterator[str]:
    text = _text(overrides)
    try:
        given = json.loads(text)
    except ValueError:
        yield "the parameter overrides are no JSON"
        return
    if len(text) > OVERRIDES_BYTES:
        yield f"the parameter overrides have {len(text)} bytes, and {OVERRIDES_BYTES} are allowed"
    known = template.get("Parameters", {})
    for name, value in given.items():
        if name not in known:
            yield f"overrides the parameter {name}, which the template does not have"
        elif (allowed := known[name].get("AllowedValues")) and value not in allowed:
            yield f"gives the parameter {name} the value {value}, which is not allowed"
    for name, parameter in known.items():
        if "Default" not in parameter and name not in given:
            yield f"does not say the parameter {name}"


def _environment(text: str) -> Iterator[str]:
    try:
        variables = json.loads(text)
    except ValueError:
        yield "the environment variables are no JSON"
        return
    for variable in variables:
        if variable.get("type") not in ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"):
            yield f"the environment variable {variable.get('name')} has no type that CodeBuild knows"


def _alternatives(value: object) -> Sequence[str]:
    """The texts that a value may become."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [_text(each) for each in value["Fn::If"][1:]]
    return [_text(value)]


def _text(value: object) -> str:
    return str(value["Fn::Sub"]) if isinstance(value, dict) else str(value)


def _roles(resources: Part) -> Iterator[str]:
    """Everything that acts has a role of the template."""
    needed = {
        "AWS::CodePipeline::Pipeline": "RoleArn",
        "AWS::CodeBuild::Project": "ServiceRole",
        "AWS::StepFunctions::StateMachine": "RoleArn",
    }
    used: list[tuple[str, object]] = []
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] in needed:
            used.append((name, properties.get(needed[resource["Type"]])))
        if resource["Type"] == "AWS::Events::Rule":
            used += [(name, target.get("RoleArn")) for target in properties["Targets"]]
        if resource["Type"] == "AWS::CodePipeline::Pipeline":
            actions = [action for stage in stages_of(properties) for action in stage["Actions"]]
            used += [
                (f"{name}: {action['Name']}", action["Configuration"]["RoleArn"])
                for action in actions
                if "RoleArn" in action["Configuration"]
            ]
    for who, role in used:
        referred = role.get("Fn::GetAtt", "") if isinstance(role, dict) else ""
        target = referred[0] if isinstance(referred, list) else referred.split(".")[0]
        if resources.get(target, {}).get("Type") != "AWS::IAM::Role":
            yield f"{who} has no role"


def _specs(resources: Part, repository: Repository) -> Iterator[str]:
    for name, resource in resources.items():
        if resource["Type"] == "AWS::CodeBuild::Project":
            spec = resource["Properties"]["Source"]["BuildSpec"]
            if spec not in repository.specs:
                yield f"{name} follows {spec}, which is not there"


def _rules(resources: Part) -> Iterator[str]:
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Events::Rule":
            yield from (
                f"{name} never matches: {why}" for why in _never(resource["Properties"]["EventPattern"], resources)
            )


def _never(pattern: Part, resources: Part) -> Iterator[str]:
    if pattern.get("source") != ["aws.codepipeline"]:
        yield f"CodePipeline's events are not from {pattern.get('source')}"
    for member in set(pattern) - {"source", "detail-type", "detail"}:
        yield f"events have no {member}"
    detail = pattern.get("detail", {})
    for member in set(detail) - {"pipeline", "stage", "state"}:
        yield f"the detail has no {member}"
    for kind in pattern.get("detail-type", []):
        if kind not in STATES:
            yield f"there is no event '{kind}'"
        for state in set(detail.get("state", [])) - STATES.get(kind, set()):
            yield f"'{kind}' knows no state {state}"
    for pipeline in detail.get("pipeline", []):
        referred = pipeline.get("Ref", "") if isinstance(pipeline, dict) else ""
        if resources.get(referred, {}).get("Type") != "AWS::CodePipeline::Pipeline":
            yield f"{pipeline} is no pipeline of the template"
