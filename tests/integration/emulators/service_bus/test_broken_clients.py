"""What broken, silent and killed clients cannot do."""

import random
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from support.amqp import Client, encoded
from support.broker import Broker, bodies, peeked, receive, until

from devstack.process import start
from emulators.service_bus import server
from emulators.service_bus.emulator import Emulator

SASL, AMQP = b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"
SASL_INIT = bytes.fromhex("00000019 02010000 005341 c00c01a309") + b"ANONYMOUS"


def assert_serves(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("still here"))
        assert bodies(receive(receiver, 1)) == ["still here"]


def rss_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def test_random_bytes_at_every_stage_harm_nobody_else(broker: Broker, client: ServiceBusClient, queue: str):
    chance = random.Random(20260101)  # noqa: S311
    stages = [b"", SASL, AMQP, SASL + SASL_INIT, SASL + SASL_INIT + AMQP, SASL + AMQP]
    for number in range(120):
        with socket.create_connection(("127.0.0.1", broker.port)) as connection:
            junk = chance.randbytes(chance.randrange(1, 400))
            framed = len(junk).to_bytes(4) + b"\x02\x00\x00\x00" + junk
            connection.sendall(stages[number % len(stages)] + (framed if number % 2 else junk))
    assert_serves(client, queue)


def test_a_conversation_with_flipped_bytes_harms_nobody_else(
    broker: Broker, client: ServiceBusClient, queue: str, brief_queue: str
):
    """A real client's side of a conversation, recorded and said again with one bit changed."""
    spoken = conversation(broker, queue)
    chance = random.Random(7)  # noqa: S311
    for _ in range(80):
        turns = [bytearray(turn) for turn in spoken]
        turn = chance.choice(turns)
        turn[chance.randrange(len(turn))] ^= 1 << chance.randrange(8)
        with socket.create_connection(("127.0.0.1", broker.port)) as connection:
            say(connection, turns)
    assert_serves(client, brief_queue)


def say(connection: socket.socket, turns: list[bytearray]) -> None:
    connection.settimeout(0.005)
    for turn in turns:
        try:
            connection.sendall(turn)
            if connection.recv(65536) == b"":
                return
        except TimeoutError:
            continue  # not every turn is answered
        except OSError:
            return


def conversation(broker: Broker, queue: str) -> list[bytes]:
    """What a client says, turn by turn, that sends, receives, settles and asks the management."""
    turns: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = threading.Thread(target=record, args=(listener, broker.port, turns))
        relay.start()
        with Client(listener.getsockname()[1]) as raw:
            talk(raw, queue)
        relay.join()
    return turns


def talk(raw: Client, queue: str) -> None:
    """Send, receive, settle, and ask the management."""
    raw.sender(queue).send(encoded(b"x", message_id="1", properties={"a": 1}))
    receiver = raw.receiver(queue)
    receiver.receive()
    receiver.settle(receiver.deliveries[0])
    node = f"{queue}/$management"
    body = {"from-sequence-number": 1, "message-count": 5}
    raw.ask(node, encoded(body, message_id=7, reply_to=node, properties={"operation": "com.microsoft:peek-message"}))


def record(listener: socket.socket, port: int, turns: list[bytes]) -> None:
    near, _ = listener.accept()
    with near, socket.create_connection(("127.0.0.1", port)) as far:
        back = threading.Thread(target=copy, args=(far, near))
        back.start()
        while data := near.recv(65536):
            turns.append(data)
            far.sendall(data)
        back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)  # the client waits for this end


def test_a_client_that_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "HANDSHAKE_MS", 200)
    with Emulator() as bus, socket.create_connection(("127.0.0.1", bus.port), timeout=30) as connection:
        assert connection.recv(1024) == b""


def test_a_client_that_hangs_up_halfway_is_let_go(broker: Broker, client: ServiceBusClient, queue: str):
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as connection:
        connection.sendall(SASL)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1024):
            pass
    assert_serves(client, queue)


def test_conversations_that_end_well_leave_nothing_behind(broker: Broker, client: ServiceBusClient, queue: str):
    def converse() -> None:
        with Client(broker.port) as raw:
            talk(raw, queue)

    assert_nothing_stays(broker, converse)
    assert peeked(client, queue) == []


def test_connections_that_break_off_leave_nothing_behind(broker: Broker, detecting_queue: str):
    # Whoever speaks without listening may settle a message before it comes, which then stays locked for a minute.
    turns = [bytearray(turn) for turn in conversation(broker, detecting_queue)]

    def break_off() -> None:
        with socket.create_connection(("127.0.0.1", broker.port)) as connection:
            say(connection, turns)

    assert_nothing_stays(broker, break_off)


def assert_nothing_stays(broker: Broker, connect: Callable[[], None]) -> None:
    def repeat(times: int) -> None:
        for _ in range(times):
            connect()

    handles = Path(f"/proc/{broker.process.pid}/fd")
    repeat(100)
    open_before = len(list(handles.iterdir()))
    grown: list[int] = []
    while not grown or (min(grown) >= 40 and len(grown) < 6):  # a round in which the allocator takes no new arena
        before = rss_kb(broker.process.pid)
        repeat(150)
        grown.append(rss_kb(broker.process.pid) - before)
    until(lambda: len(list(handles.iterdir())) <= open_before)
    assert min(grown) < 40, f"1 kB a connection would be 150 in each round: {grown}"


VICTIM = """
import sys, time
from azure.servicebus import ServiceBusClient
with ServiceBusClient.from_connection_string(sys.argv[1]) as client:
    with client.get_queue_receiver(sys.argv[2], prefetch_count=5) as receiver:
        print("got", receiver.receive_messages(max_wait_time=20)[0], flush=True)
        time.sleep(600)
"""


def test_what_a_killed_receiver_held_comes_back_when_its_locks_end(
    broker: Broker, client: ServiceBusClient, brief_queue: str
):
    with client.get_queue_sender(brief_queue) as sender:
        sender.send_messages([ServiceBusMessage(f"{n}") for n in range(3)])
    argv = [sys.executable, "-c", VICTIM, broker.connection_string, brief_queue]
    with start(argv, ready=re.compile("got 0")) as victim:
        victim.send_signal(signal.SIGKILL)
        with client.get_queue_receiver(brief_queue) as receiver:
            messages = receive(receiver, 3)
    assert sorted(bodies(messages)) == ["0", "1", "2"]
    assert messages[0].delivery_count >= 1
