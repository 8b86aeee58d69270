"""Workers that die, stall or take long: a message belongs to one of them at a time, and is never lost."""

import signal
import time

import psycopg
import pytest
from support.asking import ask
from support.bus import Bus
from support.gate import Gate
from support.hosts import LOCK_S, Begin, Blobs, Hosts
from support.waiting import until


@pytest.fixture(autouse=True)
def small(admin: psycopg.Connection) -> None:
    admin.execute("create table small as select n as id from generate_series(1, 100) as n")


def test_a_worker_that_is_killed_loses_nothing_and_leaves_nothing_half_written(
    begin: Begin, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 60_000)
    with gate.closed():
        killed = begin(TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        bus.send(ask("gated"))
        gate.wait_for()
        killed.send_signal(signal.SIGKILL)
        assert len(bus.messages()) == 1
        begin(TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        gate.wait_for(2)  # the killed one's backend does not know yet
        assert blobs.names() == []
        gate.open()
        bus.wait_until_empty()
    assert blobs.names() == ["x/1.csv.gz"]
    assert blobs.rows("x/1.csv.gz") == blobs.receipt("x/1.csv.gz").rows == gate.rows
    assert bus.dead_letters() == []


def test_an_export_that_takes_longer_than_a_lock_keeps_it(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    """A second worker would get the message when its lock ends."""
    gate = Gate(admin, 10)
    with gate.closed():
        workers = [hosts.container(TAILRACE_LOCK_TIMEOUT_SECONDS="60") for _ in range(2)]
        bus.send(ask("gated"))
        gate.wait_for()
        began = time.monotonic()
        until(lambda: time.monotonic() > began + 1.5 * LOCK_S, "more than a lock's time to pass")
        assert len(gate.waiting()) == 1
        gate.open()
        bus.wait_until_empty()
    assert blobs.rows("x/1.csv.gz") == 10
    assert all(worker.returncode is None for worker in workers)


def test_a_worker_that_stood_still_until_its_lock_was_gone_does_no_harm(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 60_000)
    with gate.closed():
        asleep = hosts.container(TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        bus.send(ask("gated"))
        gate.wait_for()
        asleep.send_signal(signal.SIGSTOP)
        hosts.container(TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        gate.wait_for(2)
        asleep.send_signal(signal.SIGCONT)
        until(lambda: "lock not renewed" in asleep.output(), "the first worker to notice")
        gate.open()
        bus.wait_until_empty()
    # Stopped in time, first to commit, or second: then it only finds that the message is no longer its own.
    ends = ("export failed", "export done", "settlement came too late")
    until(lambda: any(end in asleep.output() for end in ends), "the first worker to end it")
    assert blobs.rows("x/1.csv.gz") == gate.rows
    assert bus.dead_letters() == []
    bus.send(ask("small", blob="next"), ask("small", blob="last"))
    until(lambda: blobs.names() == ["last", "next", "x/1.csv.gz"], "both workers to go on")
