"""What a new template of the data stack would take away from the deployed one.

Asked by everything that deploys the data stack. The template counts its versions (Metadata): an older one than the
deployed goes back, and a version that takes something away must name it.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Final

from tools.failure import CannotGoOn

Template = Mapping[str, Any]

WITHOUT_MEANING: Final = ("AttributeDefinitions", "Metadata")
"""Attributes are defined for the keys and indexes that use them, which are compared."""

IN_PLACE: Final = frozenset({"CorsConfiguration"})
"""Properties that AWS changes in place, which the embedded AWS does not know.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-s3-bucket.html
"""

NEEDED_BY_CODE: Final = "GlobalSecondaryIndexes"
"""What code asks for by name, besides whole resources."""


def version(template: Template) -> int:
    """Which version of the data it is; templates of before versions were counted are the first."""
    return int(template.get("Metadata", {}).get("Version", 0))


def fingerprint(template: Template) -> str:
    """Changes with the resources: the template names its own, so that a change without a new version is noticed."""
    text = json.dumps(template["Resources"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def goes_back(deployed: Template, wanted: Template) -> bool:
    """Whether the template is older than the deployed one. Raises CannotGoOn when that lacks what old code needs."""
    if version(wanted) >= version(deployed):
        return False
    lacking = [path for path in _lost(wanted, deployed) if "." not in path or NEEDED_BY_CODE in path]
    if lacking:
        raise CannotGoOn(
            f"This release needs {', '.join(lacking)}, which a later release removed from the data stack "
            f"(version {version(deployed)}; this is {version(wanted)}). Nothing was deployed. Release a fix instead."
        )
    return True


def refuse_losses(deployed: Template, wanted: Template) -> None:
    """Raises CannotGoOn when the template says less than the deployed one and does not name what it takes away."""
    _refuse(_lost(deployed, wanted), wanted)


def refuse_replacements(changes: Sequence[Mapping[str, Any]], wanted: Template) -> None:
    """The same by CloudFormation's own judgement: which resources it would remove or replace."""
    found = [each["ResourceChange"] for each in changes]
    stays = {change["LogicalResourceId"] for change in found if _changes_only(change, IN_PLACE)}
    _refuse(
        [
            change["LogicalResourceId"]
            for change in found
            if (change["Action"] in ("Remove", "Dynamic") or change.get("Replacement") in ("True", "Conditional"))
            and not _changes_only(change, IN_PLACE | stays)
        ],
        wanted,
    )


def _changes_only(change: Mapping[str, Any], names: Set[str]) -> bool:
    """Whether all that changes are these properties, or what follows from a change to these resources."""
    details = change.get("Details", [])
    causes = [(each["Target"].get("Name"), each.get("CausingEntity", "").partition(".")[0]) for each in details]
    return bool(causes) and all(name in names or cause in names for name, cause in causes)


def steps(deployed: Template, wanted: Template) -> list[Template]:
    """The templates to deploy one after the other: first all but the new indexes, then each with one of them more.

    DynamoDB makes one at a time.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
    """
    known = _indexes(deployed)
    new = [name for name in _indexes(wanted) if name not in known]
    return [_without(wanted, new[count:]) for count in range(len(new))] + [wanted]


def _indexes(template: Template) -> list[str]:
    return [index["IndexName"] for index in template["Resources"]["Table"]["Properties"][NEEDED_BY_CODE]]


def _without(template: Template, names: Sequence[str]) -> Template:
    """The template without these indexes and the attributes that nothing else has as a key."""
    made: dict[str, Any] = copy.deepcopy(dict(template))
    table = made["Resources"]["Table"]["Properties"]
    table[NEEDED_BY_CODE] = [index for index in table[NEEDED_BY_CODE] if index["IndexName"] not in names]
    keys = {key["AttributeName"] for each in (table, *table[NEEDED_BY_CODE]) for key in each["KeySchema"]}
    table["AttributeDefinitions"] = [each for each in table["AttributeDefinitions"] if each["AttributeName"] in keys]
    return made


def _refuse(lost: Sequence[str], wanted: Template) -> None:
    meant = wanted.get("Metadata", {}).get("TakesAway", [])
    if unmeant := [path for path in lost if path not in meant]:
        raise CannotGoOn(
            f"The data stack would lose {', '.join(unmeant)}, which live code may use. Nothing was deployed. "
            "If no release uses it any more, name it in Metadata.TakesAway of .chalice/data.json."
        )


def _lost(before: Template, after: Template) -> list[str]:
    """The paths of everything that `before` says of its resources and `after` does not."""
    return list(_differences(before["Resources"], after["Resources"], ()))


def _differences(before: object, after: object, path: tuple[str, ...]) -> Iterator[str]:
    match before, after:
        case dict(), dict() if not _is_function(before):
            for name in before.keys() - set(WITHOUT_MEANING):
                inner = path if name == "Properties" else (*path, name)
                if name in after:
                    yield from _differences(before[name], after[name], inner)
                else:
                    yield ".".join(inner)
        case list(), list() if all(isinstance(each, dict) and "IndexName" in each for each in [*before, *after]):
            named, kept = ({each["IndexName"]: each for each in side} for side in (before, after))
            yield from _differences(named, kept, path)
        case list(), list():
            if any(each not in after for each in before):
                yield ".".join(path)
        case (bool(), bool()) | (int(), int()):
            # Switched on, or more of it, takes nothing away.
            if before > after:
                yield ".".join(path)
        case _:
            if before != after:
                yield ".".join(path)


def _is_function(node: Mapping[str, object]) -> bool:
    """Whether CloudFormation works it out: then it is compared as a whole."""
    return any(name == "Ref" or name.startswith("Fn::") for name in node)
