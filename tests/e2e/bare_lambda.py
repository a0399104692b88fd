"""Run by test_in_lambda.py in an interpreter without site-packages: calls a handler as Lambda's runtime does.

On its input it is given the folders to import from, the handler and the events, as JSON; the last line of its output
is the answers and the files of all modules that were imported, as JSON.
"""

import importlib
import json
import sys
import zoneinfo


class Context:
    """What a handler is told of the call it is in."""

    function_name = "visits-beta"
    function_version = "1"
    memory_limit_in_mb = "1769"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:visits-beta:live"
    aws_request_id = "8f7e6d5c-4b3a-4291-8a7b-6c5d4e3f2a1b"
    log_group_name = "/aws/lambda/visits-beta"
    log_stream_name = "2026/11/21/[1]0123456789abcdef"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def main() -> None:
    given = json.load(sys.stdin)
    sys.path[:0] = given["folders"]
    # Whatever zones this machine has, Lambda has none.
    zoneinfo.reset_tzpath(to=[])
    module, _, name = given["handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    answers = [handler(event, Context()) for event in given["events"]]
    files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    sys.stdout.write("\n" + json.dumps({"answers": answers, "files": files}))


main()
