import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from support.dead_letters import Bus
from support.waiting import until
from typer.testing import Result

from devstack.process import Process

type Tailrace = Callable[..., Result]
TICK = re.compile(r"20\S+\+00:00 (.*)\n")


@pytest.fixture
def configured(configured: dict[str, str]) -> dict[str, str]:
    """Seven days are due of one job, and 28 of another."""
    jobs = Path(configured["TAILRACE_JOBS"])
    text = jobs.read_text().replace('every = "15 minutes"', 'every = "6 hours"')
    jobs.write_text(text)
    return configured


def said(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    match = TICK.fullmatch(result.stdout)
    assert match, result.stdout
    return match[1]


def test_a_tick_asks_for_what_is_due_and_the_next_one_for_nothing(tailrace: Tailrace, bus: Bus) -> None:
    assert said(tailrace("tick")) == "35 due: 0 there, 35 sent"
    assert len(bus.queued()) == 35
    assert said(tailrace("tick")) == "35 due: 0 there, 0 sent, 35 on the queue"
    assert len(bus.queued()) == 35


def test_a_tick_says_how_much_waits_for_a_paused_job(tailrace: Tailrace, bus: Bus) -> None:
    tailrace("pause", "minutes")
    assert said(tailrace("tick")) == "35 due: 0 there, 7 sent, 28 paused"
    shown = json.loads(tailrace("tick", "--json").stdout)
    assert (shown["asked"], shown["sent"], shown["alive"], shown["paused"]) == (35, 0, 7, 28)


def test_ticks_go_on_after_one_that_fails_and_end_with_0_when_stopped(
    starting: Callable[..., Process], configured: dict[str, str], bus: Bus
) -> None:
    jobs = Path(configured["TAILRACE_JOBS"])
    running = starting("tick", "--every", "1s", ready=r"35 due: 0 there, 35 sent")
    text = jobs.read_text()
    jobs.write_text("nothing")
    running.wait_for(re.compile("error: .* no valid TOML"))
    jobs.write_text(text)
    running.wait_for(re.compile("35 due: 0 there, 0 sent, 35 on the queue"))
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0
    assert len(until(bus.queued, "messages")) == 35


def test_a_bad_job_is_named_and_the_others_are_asked_for(tailrace: Tailrace, configured: dict[str, str]) -> None:
    jobs = Path(configured["TAILRACE_JOBS"])
    jobs.write_text(jobs.read_text() + '[[job]]\nname = "bad"\nschema = "s"\nblob = "x/{run}"\n')
    result = tailrace("tick")
    assert (result.exit_code, result.stdout.strip().endswith("35 sent")) == (0, True)
    assert result.stderr == f"error: {jobs}: job 'bad': table: missing; a job needs schema and table, or query\n"


@pytest.mark.parametrize(
    ("wrong", "arguments", "status", "line"),
    [
        ({"TAILRACE_QUEUE": "nowhere"}, (), 2, "there is no such queue in this namespace; create it, or set"),
        ({"TAILRACE_CONTAINER": "nowhere"}, (), 1, "create it, or set TAILRACE_CONTAINER"),
        ({"TAILRACE_JOBS": "/nowhere.toml"}, (), 2, "no such file; set TAILRACE_JOBS to your jobs.toml"),
        ({"ServiceBusConnection": ""}, (), 2, "ServiceBusConnection is missing"),
        ({}, ("--every", "soon"), 2, "--every: 'soon' is no length of time; write 90s, 10m or 2h"),
    ],
)
def test_a_tick_that_cannot_be_carried_out_is_a_clear_line(
    tailrace: Tailrace, wrong: dict[str, str], arguments: tuple[str, ...], status: int, line: str
) -> None:
    result = tailrace("tick", *arguments, **wrong)
    assert (result.exit_code, result.stdout) == (status, "")
    assert line in result.stderr
