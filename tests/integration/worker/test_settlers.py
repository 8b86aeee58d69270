"""One suite over every settler: whatever the host, a settlement has the same visible outcome on the queue."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusMessageState
from integration.worker.settling_app.plan import settlement_of
from support.bus import Bus, body_of, closed_together
from support.waiting import until

from contracts.message import attempt_of
from devstack.process import Launch, start
from settings import Settings
from worker.message.delivery import Delivery
from worker.message.retry import RetryQueue
from worker.message.settle import settle
from worker.message.settlement import RetryLater
from worker.slot import ReceiverSettler

ROOT = Path(__file__).parents[3]
APP = Path(__file__).with_name("settling_app")
BEFORE, LATER = "now", "scheduled"
SOON = timedelta(seconds=1)


@dataclass(frozen=True)
class Outcome:
    """What is on the queue and its dead-letter queue once nothing moves any more; waits are whole seconds."""

    waiting: list[tuple[str, int, float]] = field(default_factory=list)  # state, attempt, seconds to wait
    dead: list[tuple[str, str]] = field(default_factory=list)  # reason, description


class Lists:
    """A queue that is nothing but lists, with the messages' attempts: what the real ones are measured by."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._attempt = 1
        self._is_back = False

    def complete(self) -> None:
        """It is gone already."""

    def abandon(self) -> None:
        self._is_back = True

    def dead_letter(self, reason: str, description: str) -> None:
        self.outcome.dead.append((reason, description))

    def schedule_clone(self, retry: RetryLater) -> None:
        if retry.delay > SOON:
            attempt = self._attempt + retry.costs_attempt
            self.outcome.waiting.append((LATER, attempt, retry.delay.total_seconds()))
        else:
            self._is_back = True

    def deliver(self, plan: bytes) -> Outcome:
        self._is_back = True
        while self._is_back:
            self._is_back = False
            settle(self, settlement_of(plan, self._attempt))
            self._attempt += 1
        return self.outcome


@contextmanager
def receivers(environ: dict[str, str], _directory: Path) -> Iterator[None]:
    """The container worker's way, without its exports."""
    stopping, settings = Event(), Settings.from_env(environ)
    retries = RetryQueue(settings)

    def work() -> None:
        with ServiceBusClient.from_connection_string(environ["ServiceBusConnection"]) as client:
            with client.get_queue_receiver(environ["TAILRACE_QUEUE"]) as receiver:
                while not stopping.is_set():
                    for message in receiver.receive_messages(max_message_count=1, max_wait_time=0.2):
                        attempt = attempt_of(message.application_properties or {}, message.delivery_count or 0)
                        number = message.sequence_number or 0
                        delivery = Delivery(body_of(message), str(message.message_id), number, attempt)
                        settler = ReceiverSettler(receiver, message, delivery, retries, settings)
                        settle(settler, settlement_of(delivery.body, attempt))

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        retries.close()


@contextmanager
def functions_host(environ: dict[str, str], directory: Path) -> Iterator[None]:
    """Azure Functions' way, in Microsoft's worker library."""
    file = directory / "settings.json"
    file.write_text(json.dumps({"IsEncrypted": False, "Values": environ}))
    argv = [sys.executable, "-m", "emulators.functions_host", "--app", str(APP), "--settings", str(file), "--port", "0"]
    ready = re.compile("Functions host listening on")
    with start(argv, ready=ready, cwd=ROOT, launch=Launch(directory / "host.log")):
        yield


type Host = Callable[[dict[str, str], Path], Any]


@pytest.fixture(scope="module", params=[receivers, functions_host], ids=lambda host: host.__name__)
def bus(request: pytest.FixtureRequest, stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A queue that a host of the kind works on."""
    environ = stack.environ(queue=stack.unused_queue())
    host: Host = request.param
    with ExitStack() as opened:
        buses = opened.enter_context(closed_together())
        buses.append(Bus(environ["ServiceBusConnection"], environ["TAILRACE_QUEUE"]))
        opened.enter_context(host(environ, tmp_path_factory.mktemp("host")))
        yield buses[0]


def outcome_of(bus: Bus, message_id: str) -> Outcome:
    """What became of a message: of it or of its clones, since both begin with its id."""
    messages = [one for one in bus.messages() if str(one.message_id).startswith(message_id)]
    waiting = []
    for one in messages:
        state = LATER if one.state is ServiceBusMessageState.SCHEDULED else BEFORE
        attempt = attempt_of(one.application_properties or {}, one.delivery_count or 0)
        left = (one.scheduled_enqueue_time_utc - datetime.now(UTC)).total_seconds() if state == LATER else 0  # type: ignore[operator]
        waiting.append((state, attempt, float(-(-left // 60) * 60)))
    dead = [one for one in bus.dead_letters() if str(one.message_id).startswith(message_id)]
    return Outcome(waiting, [(str(one.dead_letter_reason), str(one.dead_letter_error_description)) for one in dead])


HOUR = 3600


@pytest.mark.parametrize(
    "plan",
    [
        [["complete"]],
        [["retry", HOUR]],
        [["abandon"], ["complete"]],
        [["abandon"], ["abandon"], ["retry", HOUR]],
        [["abandon"], ["dead-letter", "Second", "gave up"]],
        [["dead-letter", "TableMissing", "relation s.t does not exist"]],
        [["dead-letter", "Größe", '漢字 🚀 "quoted"\nand more']],
        [["dead-letter", "Long", "x" * 4096]],
        [["retry", 0], ["dead-letter", "Clone", "the second attempt"]],
        [["retry", 1], ["abandon"], ["retry", HOUR]],
        [["retry", 0], ["retry", 0], ["dead-letter", "Third", "gave up"]],
    ],
    ids=lambda plan: "-".join(step[0] for step in plan) + f"-{len(str(plan))}",
)
def test_a_settlement_has_the_same_outcome_whoever_carries_it_out(bus: Bus, plan: list[list[Any]]) -> None:
    message_id, body = f"plan-{time.monotonic_ns()}", json.dumps(plan).encode()
    expected = Lists().deliver(body)
    bus.send(ServiceBusMessage(body, message_id=message_id))
    until(lambda: outcome_of(bus, message_id) == expected, f"the outcome {expected}")
    left = [one for one in bus.messages() + bus.dead_letters() if str(one.message_id).startswith(message_id)]
    assert all(body_of(one) == body for one in left)
