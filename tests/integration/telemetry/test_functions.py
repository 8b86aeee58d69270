import json
import re
import sys
from pathlib import Path

import pytest
from support.collector import Collector
from support.telemetry_processes import ROOT

from devstack.demo.hosts import fire_timer
from devstack.process import Launch, start

READY = re.compile(r"Functions host listening on (http://\S+)")


def lags(collector: Collector) -> list[float]:
    return [value for name, _, value in collector.points if name == "tailrace.window_lag_seconds"]


@pytest.mark.usefixtures("clicks")
def test_a_tick_of_the_timer_and_the_exports_it_asks_for_are_one_trace_linked_to_the_hosts_calls(
    watched: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    """A tick reports the lag of the due window; the next tick reports that it is exported."""
    settings = tmp_path / "local.settings.json"
    settings.write_text(json.dumps({"Values": {**watched, "OTEL_METRIC_EXPORT_INTERVAL": "500"}}))
    argv = [
        sys.executable,
        "-m",
        "emulators.functions_host",
        "--app",
        str(ROOT),
        "--settings",
        str(settings),
        "--port",
        "0",
    ]
    with start(argv, ready=READY, launch=Launch(tmp_path / "host.log"), cwd=ROOT) as host:
        assert host.match is not None
        fire_timer(host.match[1])
        collector.wait_for(lambda: collector.named("process") and collector.named("enqueue due"), "the spans")
        collector.wait_for(lambda: any(name == "tailrace.exports" for name, _, _ in collector.points), "the metrics")
        done = host.wait_for(re.compile("export done.*")).group()
        assert lags(collector)[0] > 0
        fire_timer(host.match[1])
        collector.wait_for(lambda: lags(collector)[-1] == 0, "a lag of 0, now that the blob is there")
    tick = collector.named("enqueue due")[0]
    (sending,), (process,), (export,) = map(collector.named, ("send", "process", "export"))
    assert len({tick.trace_id, sending.trace_id, process.trace_id, export.trace_id}) == 1
    assert (sending.parent_id, process.parent_id, export.parent_id) == (tick.span_id, sending.span_id, process.span_id)
    assert tick.parent_id  # the host's call
    assert {"asked": 1, "present": 0, "sent": 1}.items() <= tick.attributes.items()
    (call,) = process.links
    assert call != process.trace_id
    for field in (f"request_id={export.attributes['request_id']}", "job=clicks", "attempt=1"):
        assert field in done
