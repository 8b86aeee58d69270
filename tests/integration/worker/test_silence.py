"""Links that go silent: no bytes, no reset. They look like an empty queue, and must not be taken for one."""

import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Thread

import psycopg
import pytest
from support.asking import ask
from support.bus import Bus
from support.exports import OpenExports
from support.gate import Gate
from support.relay import Relay
from support.waiting import until

from settings import Settings
from worker import slot
from worker.container import Consumer
from worker.message.settlement import Complete, RetryLater


@pytest.fixture
def relay(environ: dict[str, str]) -> Iterator[Relay]:
    """A relay between the worker and the broker."""
    (port,) = re.findall(r"sb://127\.0\.0\.1:(\d+)", environ["ServiceBusConnection"])
    with Relay(int(port)) as opened:
        yield opened


@pytest.fixture
def bus(environ: dict[str, str], queue: str) -> Iterator[Bus]:
    opened = Bus(environ["ServiceBusConnection"], queue)
    yield opened
    opened.close()


@contextmanager
def working(
    environ: dict[str, str], exports: OpenExports, relay: Relay, *, until_empty: bool = False
) -> Iterator[Thread]:
    """A worker of one slot that reaches the queue through the relay; its thread."""
    address = re.sub(r":\d+;", f":{relay.port};", environ["ServiceBusConnection"], count=1)
    settings = Settings.from_env({**environ, "ServiceBusConnection": address, "TAILRACE_CONCURRENCY": "1"})
    consumer = Consumer(settings, exports().worker, until_empty=until_empty)
    thread = Thread(target=consumer.run)
    thread.start()
    try:
        yield thread
    finally:
        consumer.stop()
        thread.join()


@pytest.mark.timeout(240)
def test_storage_that_went_silent_is_named_after_five_seconds_and_given_up_within_two_minutes(
    environ: dict[str, str], open_exports: OpenExports, admin: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    admin.execute("create table t as select 1 as id")
    (port,) = re.findall(r"BlobEndpoint=http://127\.0\.0\.1:(\d+)", environ["ExportStorage"])
    with Relay(int(port)) as silent:
        address = environ["ExportStorage"].replace(f":{port}/", f":{silent.port}/")
        exports = open_exports(ExportStorage=address)
        assert exports.handle(ask(blob="before")) == Complete("exported")
        silent.fall_silent(new_ones=True)
        began = time.monotonic()
        with ThreadPoolExecutor() as threads:
            exporting = threads.submit(exports.handle, ask(blob="after"))
            until(lambda: 'still waiting on="storage: commit"' in re.sub("attempt.*? on", "on", caplog.text), "a word")
            assert time.monotonic() - began < 10
            settlement = exporting.result(180)
        assert isinstance(settlement, RetryLater)
        assert settlement.reason == "SinkUnavailable"
        assert time.monotonic() - began < 120


def test_a_worker_whose_idle_link_went_silent_takes_messages_again(
    environ: dict[str, str],
    open_exports: OpenExports,
    relay: Relay,
    bus: Bus,
    admin: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin.execute("create table t as select 1 as id")
    monkeypatch.setattr(slot, "_PROBE_SECONDS", 1.0)
    monkeypatch.setattr(slot, "_ANSWER_SECONDS", 2.0)
    with working(environ, open_exports, relay):
        bus.send(ask(blob="before"))
        bus.wait_until_empty()
        relay.fall_silent()
        bus.send(ask(blob="after"))
        bus.wait_until_empty(90)


@pytest.mark.timeout(240)
def test_a_settlement_on_a_silent_link_ends_within_a_minute_and_its_message_is_waited_for(
    environ: dict[str, str],
    open_exports: OpenExports,
    relay: Relay,
    bus: Bus,
    admin: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    gate = Gate(admin, 10)
    bus.send(ask("gated"))
    with gate.closed(), working(environ, open_exports, relay, until_empty=True) as worker:
        gate.wait_for()
        relay.fall_silent()
        gate.open()
        began = time.monotonic()
        until(lambda: "receiver failed" in caplog.text, "the worker to give the settlement up", 80)
        assert time.monotonic() - began < 60
        worker.join(120)
        assert not worker.is_alive()
        assert bus.messages() == []
