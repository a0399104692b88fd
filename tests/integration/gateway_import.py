"""The one thing that the emulator lacks for `chalice deploy`: importing an API's definition.

Its ImportRestApi ignores the body that Chalice sends, it has no PutRestApi, and its UpdateRestApi spoils the list of
binary types. Handlers of the session that Chalice is given make the same of it with the calls that it does have;
Chalice and everything else is as it is. Like the real PutRestApi with `overwrite`, this one leaves nothing of what
the definition does not say.

As a program it is `tools.deliver.deploy` over such a session.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session

from tools.deliver.deploy import main

Definition = Mapping[str, Any]
Answered = tuple[AWSResponse, dict[str, Any]]

BINARY_TYPES = "x-amazon-apigateway-binary-media-types"
INTEGRATION = ("uri", "requestTemplates", "contentHandling")


def bridge(session: Session) -> None:
    """Registers the handlers with a session."""
    gateway = _Gateway(session)
    session.register("before-call.api-gateway.ImportRestApi", gateway.import_api)
    session.register("before-call.api-gateway.PutRestApi", gateway.overwrite_api)
    session.register("before-call.api-gateway.UpdateRestApi", gateway.patch)
    # The embedded Lambda is done at once; nobody need look every five seconds.
    loader: Any = session.get_component("data_loader")
    for waiter in loader.load_service_model("lambda", "waiters-2", "2015-03-31")["waiters"].values():
        waiter["delay"] = 0.1


class _Gateway:
    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _client(self) -> Any:
        return self._session.create_client("apigateway")

    def import_api(self, **call: Any) -> Any:
        definition = json.loads(call["params"]["body"])
        api = self._client.create_rest_api(name=definition["info"]["title"], binaryMediaTypes=_binary_types(definition))
        self._define(api["id"], definition)
        return _answered(api["id"])

    def overwrite_api(self, **call: Any) -> Any:
        params = call["params"]
        definition = json.loads(params["body"])
        api = params["url_path"].split("/")[2]
        self._forget(api, definition)
        self._define(api, definition)
        return _answered(api)

    def patch(self, **call: Any) -> None:
        """Binary types as one list. No compression is '' in Chalice, which the emulator would keep as a size."""
        params = call["params"]
        operations = json.loads(params["body"])["patchOperations"]
        api = params["url_path"].split("/")[2]
        types = set(self._client.get_rest_api(restApiId=api).get("binaryMediaTypes", []))
        kept = []
        for operation in operations:
            if operation["path"].startswith("/binaryMediaTypes/"):
                kind = operation["path"].removeprefix("/binaryMediaTypes/").replace("~1", "/")
                types = types | {kind} if operation["op"] == "add" else types - {kind}
            elif (operation["path"], operation.get("value")) != ("/minimumCompressionSize", ""):
                kept.append(operation)
        everything = [*kept, {"op": "replace", "path": "/binaryMediaTypes", "value": sorted(types)}]
        params["body"] = json.dumps({"patchOperations": everything}).encode()

    def _forget(self, api: str, definition: Definition) -> None:
        client = self._client
        for answer in client.get_gateway_responses(restApiId=api)["items"]:
            if not answer.get("defaultResponse"):
                client.delete_gateway_response(restApiId=api, responseType=answer["responseType"])
        types = set(client.get_rest_api(restApiId=api).get("binaryMediaTypes", []))
        changes = [
            {"op": "remove" if kind in types else "add", "path": f"/binaryMediaTypes/{kind.replace('/', '~1')}"}
            for kind in types.symmetric_difference(_binary_types(definition))
        ]
        named = {"op": "replace", "path": "/name", "value": definition["info"]["title"]}
        client.update_rest_api(restApiId=api, patchOperations=[*changes, named])
        resources = client.get_resources(restApiId=api, limit=500)["items"]
        for resource in sorted(resources, key=lambda each: -each["path"].count("/")):
            if resource["path"] != "/":
                client.delete_resource(restApiId=api, resourceId=resource["id"])
        for authorizer in client.get_authorizers(restApiId=api)["items"]:
            client.delete_authorizer(restApiId=api, authorizerId=authorizer["id"])

    def _define(self, api: str, definition: Definition) -> None:
        client = self._client
        ids = {each["path"]: each["id"] for each in client.get_resources(restApiId=api)["items"]}
        authorizers = self._authorizers(api, definition)
        for path, operations in definition["paths"].items():
            parent = "/"
            for part in path.strip("/").split("/"):
                here = f"{parent.rstrip('/')}/{part}"
                if here not in ids:
                    made = client.create_resource(restApiId=api, parentId=ids[parent], pathPart=part)
                    ids[here] = made["id"]
                parent = here
            for method, operation in operations.items():
                where = {"restApiId": api, "resourceId": ids[parent], "httpMethod": method.upper()}
                wanted = [name for each in operation.get("security", []) for name in each]
                guard = {"authorizationType": "NONE"}
                if wanted:
                    guard = {"authorizationType": "CUSTOM", "authorizerId": authorizers[wanted[0]]}
                client.put_method(**where, **guard)
                integration = operation["x-amazon-apigateway-integration"]
                said = {name: integration[name] for name in INTEGRATION if integration.get(name)}
                kind = integration["type"].upper()
                client.put_integration(**where, type=kind, integrationHttpMethod=integration["httpMethod"], **said)

    def _authorizers(self, api: str, definition: Definition) -> dict[str, str]:
        made = {}
        for name, scheme in definition.get("securityDefinitions", {}).items():
            said = scheme["x-amazon-apigateway-authorizer"]
            created = self._client.create_authorizer(
                restApiId=api,
                name=name,
                type=said["type"].upper(),
                authorizerUri=said["authorizerUri"],
                identitySource=f"method.request.header.{scheme['name']}",
                authorizerResultTtlInSeconds=said.get("authorizerResultTtlInSeconds", 300),
            )
            made[name] = created["id"]
        return made


def _binary_types(definition: Definition) -> list[str]:
    types: list[str] = definition.get(BINARY_TYPES, [])
    return types


def _answered(api: str) -> Answered:
    """An answer that was not asked of AWS."""
    return AWSResponse("", 200, HTTPHeaders(), None), {"id": api, "ResponseMetadata": {"HTTPStatusCode": 200}}


if __name__ == "__main__":
    own = Session()
    bridge(own)
    sys.exit(main(session=own))
