"""The container worker as a process: stopped by a signal, and without its broker for a while."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.asking import ask
from support.bus import Bus
from support.gate import Gate
from support.hosts import Blobs, Hosts
from support.waiting import until

from devstack.broker import Broker


@pytest.fixture(autouse=True)
def small(admin: psycopg.Connection) -> None:
    admin.execute("create table small as select n as id from generate_series(1, 100) as n")


def test_a_stopping_worker_finishes_a_short_export_and_takes_no_other(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 10)
    with gate.closed():
        worker = hosts.container(TAILRACE_CONCURRENCY="1", TAILRACE_DRAIN_SECONDS="30")
        bus.send(ask("gated", blob="1"), ask("small", blob="2"))
        gate.wait_for()
        worker.send_signal(signal.SIGTERM)
        worker.wait_for(re.compile("worker draining"))
        gate.open()
        assert worker.wait(20) == 0
    assert blobs.names() == ["1"]
    (left,) = bus.messages()
    assert left.delivery_count == 0
    hosts.container()
    bus.wait_until_empty()
    assert blobs.names() == ["1", "2"]


def test_a_stopping_worker_gives_a_long_export_back_for_another_to_finish(
    hosts: Hosts, bus: Bus, blobs: Blobs, admin: psycopg.Connection
) -> None:
    gate = Gate(admin, 60_000)
    with gate.closed():
        worker = hosts.container(TAILRACE_DRAIN_SECONDS="0.5", TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        bus.send(ask("gated"))
        gate.wait_for()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert gate.waiting() == []
        (message,) = bus.messages()
        assert message.delivery_count == 1
        assert blobs.names() == []
        hosts.container(TAILRACE_LOCK_TIMEOUT_SECONDS="60")
        gate.wait_for(1)
        gate.open()
        bus.wait_until_empty()
    assert blobs.rows("x/1.csv.gz") == gate.rows
    assert bus.dead_letters() == []


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test only, which it stops and restarts."""
    with Broker.start(tmp_path / "broker", ["exports"]) as broker:
        yield broker


def test_a_worker_outlives_its_broker_and_an_export_under_way_is_not_lost(
    hosts: Hosts, blobs: Blobs, admin: psycopg.Connection, own_broker: Broker, tmp_path: Path
) -> None:
    """A broker forgets its messages, so the second one gets those of the first one again."""
    gate, request = Gate(admin, 10), ask("gated", blob="gated")
    address = {"ServiceBusConnection": own_broker.connection_string, "TAILRACE_QUEUE": "exports"}
    worker = hosts.container(TAILRACE_CONCURRENCY="2", **address)
    before = Bus(own_broker.connection_string, "exports")
    before.send(ask("small", blob="before"))
    before.wait_until_empty()
    with gate.closed():
        before.send(request)
        gate.wait_for()
        before.close()
        own_broker.close()
        worker.wait_for(re.compile("receiver failed"))
        gate.open()
        until(lambda: "gated" in blobs.names(), "the export that was under way")
    with Broker(tmp_path / "broker", tmp_path / "broker" / "service-bus.json", own_broker.port):
        after = Bus(own_broker.connection_string, "exports")
        after.send(request, ask("small", blob="after"))
        after.wait_until_empty(60)
        assert after.dead_letters() == []
        after.close()
    assert blobs.names() == ["after", "before", "gated"]
    assert worker.returncode is None
