import re
from pathlib import Path

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry.catalogue import METRICS
from telemetry.engines.instruments import Instruments

ROOT = Path(__file__).parents[3]
NAME = re.compile(r"tailrace\.[a-z_]+(?=\\?\")")


@pytest.mark.parametrize("file", ["modules/alerts.bicep", "workbook.json"])
def test_alerts_and_workbook_ask_for_metrics_that_there_are(file: str) -> None:
    asked = set(NAME.findall((ROOT / "deploy" / file).read_text("utf-8")))
    assert asked
    assert asked - {metric.name for metric in METRICS} == set()


def test_every_metric_is_shown_by_the_workbook() -> None:
    shown = set(NAME.findall((ROOT / "deploy" / "workbook.json").read_text("utf-8")))
    assert {metric.name for metric in METRICS} == shown


def test_every_metric_is_explained() -> None:
    explained = (ROOT / "docs" / "how-to" / "operations.md").read_text("utf-8")
    assert [metric.name for metric in METRICS if f"`{metric.name}`" not in explained] == []


def values(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, str], float]]]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: [
            (dict(point.attributes), getattr(point, "value", None) or point.sum) for point in metric.data.data_points
        ]
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_every_metric_can_be_recorded() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    instruments = Instruments(meters.get_meter("test"), fresh_seconds=60)
    for metric in METRICS:
        instruments.record(metric.name, 3, {"job": "clicks"})
    assert values(reader) == {metric.name: [({"job": "clicks"}, 3)] for metric in METRICS}
    meters.shutdown()


def test_a_lag_that_is_no_longer_measured_is_no_longer_reported() -> None:
    """The SDK's own gauge would report it; the timer may run on another instance by now, with a lag of 0."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    instruments = Instruments(meters.get_meter("test"), fresh_seconds=0.05)
    instruments.record("tailrace.window_lag_seconds", 7200, {"job": "clicks"})
    collected = values(reader)
    while values(reader):
        pass
    assert collected == {"tailrace.window_lag_seconds": [({"job": "clicks"}, 7200)]}
    meters.shutdown()
