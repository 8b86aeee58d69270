"""A broker that detaches an idle link while its message is being exported, and one that is frozen for a while."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import psycopg
import pytest
from support.asking import ask
from support.bus import Bus
from support.exports import OpenExports
from support.gate import Gate
from support.relay import Relay
from support.waiting import until

from connections import service_bus
from contracts.request import ExportRequest
from emulators.service_bus.emulator import Emulator
from settings import Settings
from worker.container import Consumer
from worker.message import lock

LOCK_S = 8


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A broker with the queue `exports`, whose locks are short: renewing one notices that the link is detached."""
    with Emulator() as running:
        running.add_queue("exports", LockDuration=f"PT{LOCK_S}S", RequiresDuplicateDetection=True)
        yield running


@pytest.fixture
def bus(emulator: Emulator) -> Iterator[Bus]:
    opened = Bus(emulator.connection_string, "exports")
    yield opened
    opened.close()


@pytest.fixture
def renewals(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each renewal of a lock succeeded, as they come."""
    seen: list[bool] = []
    renewed = lock._renewed

    def seeing(*arguments: Any) -> bool:
        seen.append(renewed(*arguments))
        return seen[-1]

    monkeypatch.setattr(lock, "_renewed", seeing)
    return seen


@contextmanager
def working(environ: dict[str, str], exports: OpenExports, address: str) -> Iterator[None]:
    """A worker of one slot."""
    own = {"ServiceBusConnection": address, "TAILRACE_QUEUE": "exports", "TAILRACE_CONCURRENCY": "1"}
    consumer = Consumer(Settings.from_env({**environ, **own}), exports(TAILRACE_MAX_ATTEMPTS="1").worker)
    thread = Thread(target=consumer.run)
    thread.start()
    try:
        yield
    finally:
        consumer.stop()
        thread.join()


@pytest.mark.parametrize(("table", "is_dead"), [("gated", False), ("broken", True)])
def test_a_message_whose_link_was_detached_during_its_export_is_settled_at_once(
    *,
    environ: dict[str, str],
    open_exports: OpenExports,
    emulator: Emulator,
    bus: Bus,
    admin: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
    renewals: list[bool],
    table: str,
    is_dead: bool,
) -> None:
    caplog.set_level(logging.INFO)
    gate = Gate(admin, 10)
    admin.execute("create view broken as select 1 / (length(gate) * 0) as id from gated where id = 10")
    request: ExportRequest = ask(table)
    with gate.closed(), working(environ, open_exports, emulator.connection_string):
        bus.send(request)
        gate.wait_for()
        assert emulator.detach_links("exports") >= 1
        done = len(renewals)
        until(lambda: renewals[done:] == [True], "the lock to be renewed")
        gate.open()
        bus.wait_until_empty(LOCK_S / 2)
        assert [letter.delivery_count for letter in bus.dead_letters()] == ([0] if is_dead else [])
        # The slot goes on.
        bus.send(ask("small"))
        assert bus.wait_for_dead_letters(1 + is_dead)
    assert "settlement repeated" in caplog.text


# The SDK leaves the socket of a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_slot_whose_broker_froze_while_it_connected_connects_again(
    *,
    environ: dict[str, str],
    open_exports: OpenExports,
    emulator: Emulator,
    bus: Bus,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    admin.execute("create table t as select 1 as id")
    monkeypatch.setattr(service_bus, "_LONGEST_SECONDS", 3.0)
    with Relay(emulator.port) as relay:
        relay.fall_silent(new_ones=True)
        address = re.sub(r":\d+;", f":{relay.port};", emulator.connection_string, count=1)
        bus.send(ask("t"))
        with working(environ, open_exports, address):
            until(lambda: "did not answer" in caplog.text, "the slot to give up")
            relay.speak()
            bus.wait_until_empty()
