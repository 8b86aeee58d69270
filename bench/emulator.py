"""How fast the Service Bus emulator is, by the real SDK: `python -m bench.emulator [--messages N] [--waiting N]`.

The emulator and each receiver run in processes of their own, so the rates are mostly those of the SDK. The CPU time of
the emulator does not depend on what else the machine does.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

from azure.servicebus import ServiceBusClient, ServiceBusMessage

from bench.measure import cpu_seconds
from devstack.broker import Broker

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

RECEIVERS = 4
BATCH = 100
BODY = "x" * 300
QUEUES = ("sent", "received", "waiting", "beside")


def main() -> int:
    """Prints one line for each measurement, and JSON with --json."""
    asked = _asked()
    with _broker() as broker:
        address, count, cpu = broker.connection_string, asked.messages, Cpu(broker.process.pid)
        found = {
            "sent in batches, messages/s": _rate(count, lambda: send(address, "sent", count)),
            "CPU of the emulator for that, µs a message": cpu.read_us() / count,
            f"received and completed by {RECEIVERS} receivers, messages/s": received(address, count),
            "CPU of the emulator for that and for sending, µs a message": cpu.read_us() / count,
            **beside(address, asked.waiting),
        }
    for name, value in found.items():
        sys.stdout.write(f"{value:>12,.0f}  {name}\n")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


@contextmanager
def _broker() -> Iterator[Broker]:
    with tempfile.TemporaryDirectory() as folder:
        properties = {"RequiresDuplicateDetection": False, "LockDuration": "PT5M"}
        with Broker.start(Path(folder), QUEUES, properties) as broker:
            yield broker


class Cpu:
    """The CPU time of a process, in µs, since the last time that it was read."""

    def __init__(self, pid: int) -> None:
        self._pid, self._seen = pid, cpu_seconds(pid)

    def read_us(self) -> float:
        """Give the time since the last call, or since this was made."""
        before, self._seen = self._seen, cpu_seconds(self._pid)
        return (self._seen - before) * 1_000_000


def send(connection_string: str, queue: str, count: int) -> None:
    """Send messages of 300 bytes, a hundred in a batch."""
    with ServiceBusClient.from_connection_string(connection_string) as client, client.get_queue_sender(queue) as sender:
        for _ in range(count // BATCH):
            sender.send_messages([ServiceBusMessage(BODY) for _ in range(BATCH)])


def received(connection_string: str, count: int, queue: str = "received") -> float:
    """Messages received and completed in a second, by processes that share a queue."""
    send(connection_string, queue, count)
    start = multiprocessing.get_context("spawn")
    ready, done, left = start.Barrier(RECEIVERS + 1), start.Barrier(RECEIVERS + 1), start.Value("i", count)
    arguments = (connection_string, queue, ready, done, left)
    processes = [start.Process(target=receive, args=arguments) for _ in range(RECEIVERS)]
    for process in processes:
        process.start()
    ready.wait(60)
    rate = _rate(count, lambda: done.wait(600))
    for process in processes:
        process.join()
    return rate


def receive(connection_string: str, queue: str, ready: Barrier, done: Barrier, left: "Synchronized[int]") -> None:
    """Receive and complete messages, between two barriers, until none is left for any receiver."""
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_receiver(queue, prefetch_count=50) as receiver,
    ):
        ready.wait(60)
        while left.value > 0:
            messages = receiver.receive_messages(max_message_count=50, max_wait_time=0.2)
            for message in messages:
                receiver.complete_message(message)
            with left.get_lock():
                left.value -= len(messages)
        done.wait(600)


def beside(connection_string: str, waiting: int) -> dict[str, float]:
    """One message sent, received and completed at a time, in an empty queue and behind many waiting messages."""
    empty = _round_trips(connection_string, "beside")
    send(connection_string, "waiting", waiting)
    return {
        "round trips a second, empty queue": empty,
        f"round trips a second, {waiting:,} messages waiting": _round_trips(connection_string, "waiting"),
    }


def _round_trips(connection_string: str, queue: str, count: int = 300) -> float:
    with (
        ServiceBusClient.from_connection_string(connection_string) as client,
        client.get_queue_sender(queue) as sender,
        client.get_queue_receiver(queue) as receiver,
    ):

        def trips() -> None:
            for _ in range(count):
                sender.send_messages(ServiceBusMessage(BODY))
                for message in receiver.receive_messages(max_message_count=1, max_wait_time=30):
                    receiver.complete_message(message)

        return _rate(count, trips)


def _rate(count: int, action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return count / (time.monotonic() - started)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.emulator", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=20_000, help="messages to send and to receive")
    parser.add_argument("--waiting", type=int, default=100_000, help="messages that wait in a queue")
    parser.add_argument("--json", type=Path, help="write the numbers to a file, too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
