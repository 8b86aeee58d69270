"""Edge: spans and metrics by OpenTelemetry's SDK. Only telemetry.backend imports this, and only if it is on.

The providers are not global, so nothing else in the process is traced. When the process ends by itself, after a drain
for instance, the SDK sends what is still buffered.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from socket import gethostname

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from contracts.errors import TailraceError
from contracts.message import Carrier
from telemetry.engines.exporters import exporters_for, metric_reader, metrics_every_seconds, span_processor
from telemetry.engines.instruments import Instruments
from telemetry.types import Attribute, Destination, Kind, Origin, Span

_KINDS: dict[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_w3c = TraceContextTextMapPropagator()


class OpenTelemetry:
    """A tracer and the instruments, with an exporter for each destination."""

    def __init__(self, wanted: Sequence[Destination], environ: Mapping[str, str]) -> None:
        from azure.core.settings import settings

        settings.tracing_enabled = False  # the SDKs' own spans, one for every HTTP request
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)
        resource = Resource.create(_service(environ))
        # A host's context is often unsampled although its logs are stored, so its flag is ignored.
        sampler = None if environ.get("OTEL_TRACES_SAMPLER") else ALWAYS_ON
        exporters = [exporters_for(destination, environ) for destination in wanted]
        self._tracers = TracerProvider(resource=resource, sampler=sampler)
        for exporter in exporters:
            self._tracers.add_span_processor(span_processor(exporter.spans, environ))
        readers = [metric_reader(exporter.metrics, environ) for exporter in exporters]
        self._meters = MeterProvider(readers, resource=resource)
        self._tracer = self._tracers.get_tracer("tailrace")
        # A value is reported once or twice, then expires unless it is renewed.
        self._instruments = Instruments(self._meters.get_meter("tailrace"), 1.5 * metrics_every_seconds(environ))

    @contextmanager
    def span(self, name: str, kind: Kind, origin: Origin, attributes: Mapping[str, Attribute | None]) -> Iterator[Span]:
        """A span that is current for the block."""
        parent, links = parent_of(origin)
        present = {key: value for key, value in attributes.items() if value is not None}
        started = self._tracer.start_span(name, parent, _KINDS[kind], present, links)
        with trace.use_span(started, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield Watched(started)
            except BaseException as error:
                Watched(started).fail(error.reason if isinstance(error, TailraceError) else type(error).__name__)
                raise

    def current(self) -> Span:
        """The innermost open span, or one that records nothing."""
        return Watched(trace.get_current_span())

    def record(self, metric: str, value: float, attributes: Mapping[str, str]) -> None:
        """A value of the metric of that name."""
        self._instruments.record(metric, value, attributes)


def parent_of(origin: Origin) -> tuple[Context | None, Sequence[Link]]:
    """The parent of a span, and its links.

    The parent is the open span, or else the message's trace, so that producer and worker share it. The host's call is
    the parent if it belongs to that trace, and else a link.
    """
    if trace.get_current_span().get_span_context().is_valid:
        return None, ()
    message, call = _w3c.extract(origin.message, Context()), _w3c.extract(origin.call, Context())
    sent, called = (trace.get_current_span(context).get_span_context() for context in (message, call))
    if not sent.is_valid or called.trace_id == sent.trace_id:
        return call, ()
    return message, [Link(called)] if called.is_valid else ()


def _service(environ: Mapping[str, str]) -> dict[str, str]:
    """Names this process if OTEL_SERVICE_NAME does not; in Azure, as the host's own telemetry does."""
    named = environ.get("OTEL_SERVICE_NAME") or environ.get("WEBSITE_SITE_NAME") or "tailrace"
    return {"service.name": named, "service.instance.id": environ.get("WEBSITE_INSTANCE_ID") or gethostname()}


class Watched:
    """A span of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def trace_id(self) -> str | None:
        """32 hex digits."""
        context = self._span.get_span_context()
        return f"{context.trace_id:032x}" if context.is_valid else None

    def set(self, **attributes: Attribute | None) -> None:
        """Sets those that are not None."""
        self._span.set_attributes({key: value for key, value in attributes.items() if value is not None})

    def fail(self, reason: str) -> None:
        """Marks the step as failed."""
        self._span.set_status(Status(StatusCode.ERROR, reason))

    def carrier(self) -> Carrier:
        """The W3C context of this span."""
        found: dict[str, str] = {}
        _w3c.inject(found, trace.set_span_in_context(self._span, Context()))
        return found
