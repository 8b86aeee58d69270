import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.collector import Collector
from support.telemetry_processes import ROOT, submit, working

from devstack.process import Launch, start

WORK = """
import sys
import function_app
from cli.main import app
app(["work", "--until-empty", "--json-logs"], standalone_mode=False)
print("loaded:", [name for name in sys.modules if name.startswith("opentelemetry")])
"""
SPAN = """
import sys
from telemetry.traces import span
with span("step", job="clicks"): pass
print("loaded:", any(name.startswith("opentelemetry") for name in sys.modules))
"""


@pytest.mark.usefixtures("clicks")
def test_nothing_of_opentelemetry_is_loaded_by_an_app_and_an_export_without_a_destination(
    plain: dict[str, str], tmp_path: Path
) -> None:
    submit(plain, tmp_path)
    launch = Launch(log=tmp_path / "work.log", name="work")
    argv = [sys.executable, "-c", WORK]
    with start(argv, env=plain, ready=re.compile(r"loaded: (.*)"), cwd=ROOT, launch=launch) as worker:
        assert "export done" in worker.output()
        assert worker.match is not None
        assert worker.match[1] == "[]"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"TAILRACE_TELEMETRY": "console"}, (True, '"name": "step"')),
        ({"TAILRACE_TELEMETRY": "console", "OTEL_SDK_DISABLED": "true"}, (False, "")),
        ({"TAILRACE_TELEMETRY": "off", "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=1"}, (False, "")),
        (
            {"APPLICATIONINSIGHTS_CONNECTION_STRING": "Key=a-secret"},
            (True, "telemetry off wanted=azure-monitor error="),
        ),
        ({"TAILRACE_TELEMETRY": "everywhere"}, (False, "TAILRACE_TELEMETRY=everywhere")),
    ],
)
def test_the_environment_says_where_telemetry_goes(environ: dict[str, str], says: tuple[bool, str]) -> None:
    """Also its problems, which stop no export."""
    script = f"from telemetry.events import log_to_stderr; log_to_stderr(as_json=False){SPAN}"
    ran = subprocess.run(
        [sys.executable, "-c", script], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded, stderr = says
    assert ran.stdout == f"loaded: {loaded}\n"
    assert stderr in ran.stderr
    assert bool(stderr) == bool(ran.stderr)
    assert "a-secret" not in ran.stderr


@pytest.mark.usefixtures("clicks")
def test_application_insights_gets_a_request_its_steps_and_its_metrics(
    plain: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    key = f"InstrumentationKey=6f0b8a52-1d3e-5c74-9a86-0f6f5d1b7c21;IngestionEndpoint={collector.url}/"
    insights = {**plain, "APPLICATIONINSIGHTS_CONNECTION_STRING": key}
    request_id = submit(insights, tmp_path)
    with working(insights, tmp_path) as worker:
        worker.wait_for(re.compile("export done"))
    assert "Traceback" not in worker.output()
    data = [envelope["data"] for envelope in collector.envelopes]
    assert {item["baseType"] for item in data} == {"RequestData", "RemoteDependencyData", "MetricData"}
    (request,) = (item["baseData"] for item in data if item["baseType"] == "RequestData")
    assert (request["name"], request["success"]) == ("process", True)
    assert request["properties"]["request_id"] == request_id
    steps = {item["baseData"]["name"] for item in data if item["baseType"] == "RemoteDependencyData"}
    assert steps == {"send", "export", "read", "commit"}
    metrics = [item["baseData"] for item in data if item["baseType"] == "MetricData"]
    points = {item["metrics"][0]["name"]: item for item in metrics}
    assert all(name.startswith("tailrace.") for name in points)
    assert points["tailrace.exports"]["properties"] == {"job": "clicks", "outcome": "exported"}
    assert points["tailrace.rows"]["metrics"][0]["value"] == 10
    tags = [envelope["tags"] for envelope in collector.envelopes]
    assert {tag["ai.cloud.role"] for tag in tags} == {"tailrace"}
    assert len({tag["ai.operation.id"] for tag in tags if "ai.operation.id" in tag}) == 1
