"""What the service says, read as CloudWatch reads it: lines of JSON, and the metrics in them (EMF).

CloudWatch drops what breaks the format's rules without a word, so the rules are checked here.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.journal import log

UNITS = {"Count", "Seconds", "Milliseconds", "Microseconds", "Bytes", "Percent", "None"}
"""Those of CloudWatch's units that anything of ours could be in."""

MOST_METRICS = 100
MOST_DIMENSIONS = 30
LONGEST_LINE = 256 * 1024


@dataclass(frozen=True)
class Datum:
    """One value of a metric, as CloudWatch would keep it."""

    name: str
    value: float
    unit: str
    dimensions: Mapping[str, str]


class Said:
    """What was written to standard output meanwhile."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    def counted(self, metric: str, **dimensions: str) -> float:
        """The sum of a metric, of those of its data that have these dimensions."""
        found = [d for line in self.text.splitlines() for d in data(line) if d.name == metric]
        return sum(d.value for d in found if dimensions.items() <= d.dimensions.items())


@contextlib.contextmanager
def listening() -> Iterator[Said]:
    """Hears what the service writes while the block runs, in place of standard output."""
    (out,) = [handler for handler in log.handlers if type(handler) is logging.StreamHandler]
    stream = io.StringIO()
    before = out.setStream(stream)
    try:
        yield Said(stream)
    finally:
        if before is not None:
            out.setStream(before)


def data(line: str) -> list[Datum]:
    """The metrics in a line; fails where CloudWatch would drop it."""
    assert len(line.encode()) <= LONGEST_LINE
    root = json.loads(line)
    if "_aws" not in root:
        return []
    told = root["_aws"]
    assert told.keys() == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(told["Timestamp"], int)
    assert 1e12 < told["Timestamp"] < 1e13, "milliseconds since 1970, not seconds"
    return [datum for directive in told["CloudWatchMetrics"] for datum in _of_directive(root, directive)]


def _of_directive(root: Mapping[str, Any], directive: Mapping[str, Any]) -> Iterator[Datum]:
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert re.fullmatch(r"(?!AWS/)[A-Za-z0-9._/#:-]{1,255}", directive["Namespace"])
    assert 1 <= len(directive["Metrics"]) <= MOST_METRICS
    assert directive["Dimensions"]
    for names in directive["Dimensions"]:
        assert len(set(names)) == len(names) <= MOST_DIMENSIONS
        dimensions = {name: root[name] for name in names}
        for name, value in dimensions.items():
            assert 1 <= len(name) <= 250
            assert isinstance(value, str), f"the dimension {name} must be a text"
            assert re.fullmatch(r"[\x20-\x7e]{1,1024}", value)
        for metric in directive["Metrics"]:
            assert metric.keys() <= {"Name", "Unit", "StorageResolution"}
            assert 1 <= len(metric["Name"]) <= 255
            assert metric["Unit"] in UNITS
            value = root[metric["Name"]]
            assert type(value) in (int, float), f"the metric {metric['Name']} must be a number"
            yield Datum(metric["Name"], value, metric["Unit"], dimensions)
