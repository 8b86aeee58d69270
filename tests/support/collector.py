"""Takes what exporters send, over real HTTP on loopback: OTLP in protobuf, and Application Insights' JSON lines."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, override

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ids in hex, kind as SPAN_KIND_…."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    links: list[str]
    failed: str | None


class Collector:
    """A collector on a free port; a context manager."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.points: list[tuple[str, dict[str, str], float]] = []  # metric, attributes, value or a histogram's sum
        self.envelopes: list[dict[str, Any]] = []
        self.received = b""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        # Spans soon; metrics only when a process ends.
        self.environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "600000",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, path: str, body: bytes) -> bytes:
        """Stores a request, and returns the answer to it."""
        self.received += body
        match path:
            case "/v1/traces":
                self.spans += _spans(ExportTraceServiceRequest.FromString(body))
            case "/v1/metrics":
                self.points += _points(ExportMetricsServiceRequest.FromString(body))
            case "/v2.1/track":
                items = [json.loads(line) for line in body.splitlines()]
                items = items[0] if len(items) == 1 and isinstance(items[0], list) else items
                self.envelopes += items
                return json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
            case _:
                raise AssertionError(f"nothing is expected at {path}")
        return b""

    def named(self, name: str) -> list[Seen]:
        """The spans of a name, in the order in which they ended."""
        return [span for span in self.spans if span.name == name]

    def wait_for(self, condition: Callable[[], object], what: str, timeout_s: float = 30) -> None:
        """Returns once the condition holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not arrive; spans: {self.spans}, points: {self.points}")
            time.sleep(0.02)


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = collector.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        @override
        def log_message(self, format: str, *args: object) -> None: ...

    return Handler


def _spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    span.name,
                    MessageToDict(span)["kind"],
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    {pair.key: _value(pair.value) for pair in span.attributes},
                    [link.trace_id.hex() for link in span.links],
                    span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else None,
                )


def _points(request: ExportMetricsServiceRequest) -> Iterator[tuple[str, dict[str, str], float]]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    attributes = {pair.key: _value(pair.value) for pair in point.attributes}
                    yield metric.name, attributes, point.sum if hasattr(point, "sum") else _number(point)


def _number(point: Any) -> float:
    return float(getattr(point, point.WhichOneof("value")))


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
