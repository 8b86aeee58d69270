"""Edge: an exporter of spans and one of metrics for each destination, and how often they send."""

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from telemetry.types import Destination

# Short, since a function app's process may be killed at any moment and loses what it has not sent.
_SPANS_EVERY_MS = 1_000.0
_METRICS_EVERY_MS = 10_000.0
# For one request with its retries: a missing collector must not delay the end of a worker.
_TIMEOUT_SECONDS = 3.0
# Switches off the statistics that the exporter for Azure Monitor sends to Microsoft and adds to our metrics, and its
# remote configuration; it has no other switches for these.
_REPORTS_ON_ITSELF = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)


class Exporters(NamedTuple):
    """Exporters of spans and of metrics, one of each for each destination."""

    spans: SpanExporter
    metrics: MetricExporter


def exporters_for(destination: Destination, environ: Mapping[str, str]) -> Exporters:
    """The exporters; OTLP's read further OTEL_EXPORTER_OTLP_ variables themselves.

    Raises ImportError if a package is not installed, ValueError for an invalid connection string.
    """
    match destination:
        case "azure-monitor":
            return _azure_monitor(environ["APPLICATIONINSIGHTS_CONNECTION_STRING"])
        case "otlp":
            return _otlp(None if environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else _TIMEOUT_SECONDS)
        case "console":
            return _console()


def span_processor(exporter: SpanExporter, environ: Mapping[str, str]) -> SpanProcessor:
    """Sends spans once a second, or as OTEL_BSP_SCHEDULE_DELAY says."""
    delay = None if environ.get("OTEL_BSP_SCHEDULE_DELAY") else _SPANS_EVERY_MS
    return BatchSpanProcessor(exporter, schedule_delay_millis=delay)


def metric_reader(exporter: MetricExporter, environ: Mapping[str, str]) -> MetricReader:
    """Sends metrics every ten seconds, or as OTEL_METRIC_EXPORT_INTERVAL says."""
    return PeriodicExportingMetricReader(
        exporter,
        export_interval_millis=metrics_every_seconds(environ) * 1000,
        export_timeout_millis=_TIMEOUT_SECONDS * 1000,
    )


def metrics_every_seconds(environ: Mapping[str, str]) -> float:
    """The interval of metrics.

    >>> metrics_every_seconds({}), metrics_every_seconds({"OTEL_METRIC_EXPORT_INTERVAL": "500"})
    (10.0, 0.5)
    """
    return float(environ.get("OTEL_METRIC_EXPORT_INTERVAL") or _METRICS_EVERY_MS) / 1000


def _azure_monitor(connection_string: str) -> Exporters:
    for switch in _REPORTS_ON_ITSELF:
        os.environ.setdefault(switch, "true")
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

    # No copies on disk: no later process would find them, and nothing deletes them.
    return Exporters(
        AzureMonitorTraceExporter(connection_string=connection_string, disable_offline_storage=True),
        AzureMonitorMetricExporter(connection_string=connection_string, disable_offline_storage=True),
    )


def _otlp(timeout: float | None) -> Exporters:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Exporters(OTLPSpanExporter(timeout=timeout), OTLPMetricExporter(timeout=timeout))


def _console() -> Exporters:
    """One JSON object a line, on stderr: stdout is for the results of commands."""
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    return Exporters(
        ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n"),
        ConsoleMetricExporter(out=sys.stderr, formatter=lambda metrics: f"{metrics.to_json(indent=None)}\n"),
    )
