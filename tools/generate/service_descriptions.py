"""`make descriptions`: botocore's descriptions of what we call on AWS, cut down to what this service calls.

They are what `chalicelib/aws/clients.py` loads instead of botocore's own, which describe every operation with its
documentation. Without rules for endpoints botocore forms an address from the patterns in `endpoints.json`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from botocore.loaders import create_loader

from chalicelib.aws.clients import DATA

OPERATIONS: Final = {
    "dynamodb": ("GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"),
    "events": ("PutEvents",),
    "s3": ("DeleteObject", "GetObject", "PutObject"),
    "ses": ("SendRawEmail",),
    "sqs": ("ChangeMessageVisibility", "DeleteMessageBatch", "GetQueueAttributes", "GetQueueUrl", "SendMessageBatch"),
    "textract": ("AnalyzeDocument",),
}

UNUSED: Final = frozenset(
    {
        "documentation",
        "documentationUrl",
        # For the rules that are not there.
        "endpointdiscovery",
        "operationContextParams",
        "staticContextParams",
        "contextParam",
        # For the check of parameters, which is off.
        "max",
        "min",
        "pattern",
        "enum",
    }
)

UNSTORED: Final = {"AttributeValue": ("BS", "NS", "NULL")}
"""Members of shapes that no item of ours has; botocore looks for each in every attribute that it writes."""

AS_IT_COMES: Final = {"type": "structure", "members": {}, "document": True}
"""Smithy's word for JSON without a description: botocore hands it over as it is, where it looks at each attribute of
each item otherwise (https://smithy.io/2.0/spec/simple-types.html#document)."""

UNDESCRIBED: Final = {"AttributeMap": AS_IT_COMES}
"""Items that are read: `repositories/table.py` makes values of them anyway."""

Description = dict[str, Any]


def descriptions() -> dict[str, str]:
    """What is to be in each file of the folder of data."""
    loader = create_loader()
    files = {
        "endpoints.json": _endpoints(loader.load_data("endpoints")),
        "sdk-default-configuration.json": _without_the_unused(loader.load_data("sdk-default-configuration")),
    }
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        whole = loader.load_service_model(service, "service-2", version)
        files[f"{service}/{version}/service-2.json"] = _service(whole, operations)
    return {name: json.dumps(content, indent=1, sort_keys=True) + "\n" for name, content in files.items()}


def _service(whole: Description, operations: tuple[str, ...]) -> Description:
    kept: Description = {}

    def keep(reference: Description) -> None:
        name = reference["shape"]
        if name in kept:
            return
        shape = UNDESCRIBED.get(name, whole["shapes"][name])
        if name in UNSTORED:
            shape = shape | {"members": {m: of for m, of in shape["members"].items() if m not in UNSTORED[name]}}
        kept[name] = shape
        parts = [shape.get(part) for part in ("member", "key", "value")]
        for part in [*parts, *shape.get("members", {}).values()]:
            if part is not None:
                keep(part)

    for name in operations:
        operation = whole["operations"][name]
        for reference in (operation.get("input"), operation.get("output"), *operation.get("errors", ())):
            if reference is not None:
                keep(reference)
    found = {name: whole["operations"][name] for name in operations}
    used = {"version": whole["version"], "metadata": whole["metadata"], "operations": found, "shapes": kept}
    return _without_the_unused(used)


def _without_the_unused(described: Description) -> Description:
    """Of these traits the names are the service's own, and stay whatever they are: members, shapes, operations."""

    def kept(name: str, trait: Any) -> Any:
        if name in ("members", "shapes", "operations"):
            return {own: _without_the_unused(inner) for own, inner in trait.items()}
        return _without_the_unused(trait) if isinstance(trait, dict) else trait

    return {name: kept(name, trait) for name, trait in described.items() if name not in UNUSED}


def _endpoints(whole: Description) -> Description:
    """The patterns of every partition of AWS, without the lists of services and regions."""
    kept = ("defaults", "dnsSuffix", "partition", "partitionName", "regionRegex")
    partitions = [
        {name: partition[name] for name in kept} | {"regions": {}, "services": {}} for partition in whole["partitions"]
    ]
    return {"partitions": partitions, "version": whole["version"]}


def main() -> None:
    for name, content in descriptions().items():
        file = DATA / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        print(f"{name} {len(content):,} bytes")


if __name__ == "__main__":
    main()
