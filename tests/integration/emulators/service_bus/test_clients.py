"""The same promises to every client: azure-servicebus 7.15 (sync, aio) and 7.14.3, @azure/service-bus, and rhea."""

import time
from collections.abc import Iterator

import pytest
from support.clients import CLIENTS, CannotInstallError, Client, ClientError, Driver

from emulators.service_bus.emulator import Emulator

QUEUES = {
    "plain": {},
    "brief": {"LockDuration": "PT1S"},
    "detecting": {"RequiresDuplicateDetection": True},
    "twice": {"MaxDeliveryCount": 2},
    "session": {"RequiresSession": True},
}


@pytest.fixture(scope="module")
def bus() -> Iterator[Emulator]:
    with Emulator() as bus:
        for name, properties in QUEUES.items():
            bus.add_queue(name, **properties)
        yield bus


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def running(request: pytest.FixtureRequest, bus: Emulator) -> Iterator[tuple[Client, Driver]]:
    try:
        driver = Driver(request.param, bus.connection_string)
    except CannotInstallError as error:
        pytest.skip(str(error))
    with driver:
        yield request.param, driver


@pytest.fixture
def client(running: tuple[Client, Driver], bus: Emulator, request: pytest.FixtureRequest) -> Driver:
    client, driver = running
    for marker in request.node.iter_markers("needs"):
        if marker.args[0] in client.lacks:
            pytest.skip(f"{client.name} has no {marker.args[0]}")
    for name in QUEUES:
        bus.purge(name)
    return driver


def send(client: Driver, queue: str, *texts: str) -> None:
    client.send(queue, messages=[{"body": text} for text in texts])


def received(client: Driver, queue: str, count: int) -> list[dict]:
    """Exactly the next `count` messages."""
    messages: list[dict] = []
    ends = time.monotonic() + 20
    while len(messages) < count:
        assert time.monotonic() < ends, f"{len(messages)} of {count} messages came"
        messages += client.receive(queue, count=count - len(messages), wait_s=5)
    return messages


def open_and_receive(client: Driver, queue: str) -> None:
    """Some clients attach their link when they open, some when they receive."""
    client.open(queue)
    client.receive(queue, count=1, wait_s=5)


def one(client: Driver, queue: str) -> dict:
    (message,) = received(client, queue, 1)
    return message


def texts(messages: list[dict]) -> list[str]:
    return [message["body"] for message in messages]


def test_messages_come_in_the_order_in_which_they_were_sent(client: Driver, bus: Emulator):
    send(client, "plain", *"abc")
    client.open("plain")
    messages = received(client, "plain", 3)
    assert texts(messages) == ["a", "b", "c"]
    assert [message["count"] for message in messages] == [0, 0, 0]
    for message in messages:
        client.settle("plain", number=message["number"], how="complete")
    client.close("plain")
    assert bus.counts("plain").total == 0


def test_a_batch_arrives_as_its_messages(client: Driver):
    client.send("plain", messages=[{"body": f"{n}", "id": f"id {n}"} for n in range(100)], batch=True)
    client.open("plain", delete=True)
    messages = received(client, "plain", 100)
    assert [message["id"] for message in messages] == [f"id {n}" for n in range(100)]
    client.close("plain")


def test_an_abandoned_message_comes_again_and_too_often_is_a_dead_letter(client: Driver, bus: Emulator):
    send(client, "twice", "x")
    client.open("twice")
    for count in range(2):
        message = one(client, "twice")
        assert message["count"] == count
        client.settle("twice", number=message["number"], how="abandon")
    assert bus.counts("twice").dead_letters == 1
    client.close("twice")


def test_a_dead_letter_has_its_reason(client: Driver, bus: Emulator):
    send(client, "plain", "x")
    client.open("plain")
    client.settle("plain", number=one(client, "plain")["number"], how="dead_letter")
    client.close("plain")
    client.open("plain", dead_letters=True)
    dead = one(client, "plain")
    assert (dead["body"], dead["reason"]) == ("x", "why")
    client.settle("plain", number=dead["number"], how="complete")
    client.close("plain")
    assert bus.counts("plain").total == 0


@pytest.mark.needs("answers to settlements")
def test_a_lock_that_is_lost_cannot_be_settled(client: Driver, bus: Emulator):
    send(client, "plain", "x")
    client.open("plain")
    message = one(client, "plain")
    assert bus.expire_locks("plain") == 1
    with pytest.raises(ClientError, match=r"(?i)lock"):
        client.settle("plain", number=message["number"], how="complete")
    client.close("plain")


def test_a_message_whose_lock_is_lost_comes_again_and_the_delivery_counts(client: Driver, bus: Emulator):
    send(client, "plain", "x")
    client.open("plain")
    one(client, "plain")
    assert bus.expire_locks("plain") == 1
    assert one(client, "plain")["count"] == 1
    client.close("plain")


def test_a_message_that_is_received_and_deleted_never_comes_back(client: Driver, bus: Emulator):
    send(client, "plain", "x")
    client.open("plain", delete=True)
    assert one(client, "plain")["body"] == "x"
    client.close("plain")
    assert bus.counts("plain").total == 0


def test_a_repeated_message_id_is_dropped(client: Driver, bus: Emulator):
    name = f"id {time.monotonic_ns()}"
    client.send("detecting", messages=[{"body": "a", "id": name}, {"body": "b", "id": name}])
    assert bus.counts("detecting").active == 1


def test_an_empty_queue_gives_nothing_within_the_wait(client: Driver):
    client.open("plain")
    assert client.receive("plain", count=5, wait_s=0.5) == []
    send(client, "plain", "x")
    assert texts(client.receive("plain", count=1, wait_s=10)) == ["x"]
    client.close("plain")


def test_a_message_comes_at_its_time_and_not_before(client: Driver, bus: Emulator):
    client.send("plain", messages=[{"body": "later", "in_s": 2}, {"body": "now"}])
    assert bus.counts("plain").scheduled == 1
    client.open("plain", delete=True)
    assert texts(received(client, "plain", 2)) == ["now", "later"]
    client.close("plain")


@pytest.mark.needs("management")
def test_a_scheduled_message_that_is_cancelled_never_comes(client: Driver, bus: Emulator):
    number = client.schedule("plain", body="never", in_s=3600)
    client.open("plain")
    assert [message["state"] for message in client.peek("plain")] == ["scheduled"]
    client.cancel("plain", number=number)
    assert client.peek("plain") == []
    client.close("plain")
    assert bus.counts("plain").total == 0


@pytest.mark.needs("management")
def test_a_renewed_lock_outlives_its_first_end(client: Driver, bus: Emulator):
    send(client, "brief", "x")
    client.open("brief")
    number = one(client, "brief")["number"]
    ends = time.monotonic() + 1.5
    while time.monotonic() < ends:
        client.renew("brief", number=number)
    client.settle("brief", number=number, how="complete")
    client.close("brief")
    assert bus.counts("brief").total == 0


@pytest.mark.needs("management")
def test_a_deferred_message_is_received_by_its_number_and_completed(client: Driver, bus: Emulator):
    send(client, "plain", "x")
    client.open("plain")
    number = one(client, "plain")["number"]
    client.settle("plain", number=number, how="defer")
    assert [message["state"] for message in client.peek("plain")] == ["deferred"]
    assert texts(client.receive_deferred("plain", number=number)) == ["x"]
    client.settle("plain", number=number, how="complete")
    client.close("plain")
    assert bus.counts("plain").total == 0


@pytest.mark.needs("sessions")
def test_a_session_gets_its_own_messages(client: Driver, bus: Emulator):
    client.send("session", messages=[{"body": f"{n}", "session": name} for n, name in enumerate("aba")])
    for session, expected in (("a", ["0", "2"]), ("b", ["1"])):
        client.open("session", session=session)
        messages = received(client, "session", len(expected))
        assert (texts(messages), {message["session"] for message in messages}) == (expected, {session})
        for message in messages:
            client.settle("session", number=message["number"], how="complete")
        client.close("session")
    assert bus.counts("session").total == 0


@pytest.mark.needs("management")
def test_a_client_goes_on_after_its_links_were_detached(client: Driver, bus: Emulator):
    client.open("plain")
    send(client, "plain", "a")
    assert one(client, "plain")["body"] == "a"
    assert bus.detach_links("plain") >= 1
    send(client, "plain", "b")
    assert one(client, "plain")["body"] == "b"
    client.close("plain")


def test_a_topic_and_a_subscription_are_refused_with_the_reason(client: Driver):
    with pytest.raises(ClientError, match="There are no topics here"):
        send(client, "news", "x")
    with pytest.raises(ClientError, match="this broker offers queues only"):
        open_and_receive(client, "news/Subscriptions/all")


@pytest.mark.needs("version")
def test_the_client_is_of_the_version_that_its_name_says(client: Driver, running: tuple[Client, Driver]):
    version = client.version("")
    assert version == "7.14.3" if "7.14.3" in running[0].name else version.startswith("7.15.")
