"""The admin port: Azure's administration client over TLS, health, and the emulator's own controls over HTTP."""

import datetime as dt
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.management import ServiceBusAdministrationClient
from support.broker import bodies, receive, send

from emulators.certificate import create_certificate
from emulators.service_bus.admin.tls import Tls
from emulators.service_bus.emulator import Emulator


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Emulator]:
    made = create_certificate(tmp_path)
    with Emulator(tls=Tls(made.certificate, made.key)) as bus:
        yield bus


@pytest.fixture
def admin(bus: Emulator, tmp_path: Path) -> Iterator[ServiceBusAdministrationClient]:
    string, authority = bus.admin_connection_string, str(tmp_path / "ca.pem")
    with ServiceBusAdministrationClient.from_connection_string(string, connection_verify=authority) as admin:
        yield admin


def ask(bus: Emulator, method: str, path: str, body: object = None) -> tuple[int, dict]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{bus.admin_port}/{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_queue_that_is_created_can_be_used_and_has_its_properties(
    bus: Emulator, bus_client: ServiceBusClient, admin: ServiceBusAdministrationClient
):
    made = admin.create_queue(
        "Orders",
        lock_duration=dt.timedelta(seconds=30),
        max_delivery_count=3,
        requires_duplicate_detection=True,
        dead_lettering_on_message_expiration=True,
    )
    found = admin.get_queue("orders")
    for queue in (made, found):
        assert (queue.lock_duration, queue.max_delivery_count) == (dt.timedelta(seconds=30), 3)
        assert queue.requires_duplicate_detection
        assert queue.dead_lettering_on_message_expiration
        assert not queue.requires_session
        assert queue.default_message_time_to_live > dt.timedelta(days=365 * 1000)
    send(bus_client, "orders", "a", "a", "b")
    assert bus.counts("orders").active == 2


def test_the_counts_of_a_queue_say_what_is_in_it(
    bus: Emulator, bus_client: ServiceBusClient, admin: ServiceBusAdministrationClient
):
    bus.add_queue("orders")
    send(bus_client, "orders", "dead", "deferred", "locked", "waits")
    with bus_client.get_queue_sender("orders") as sender, bus_client.get_queue_receiver("orders") as receiver:
        sender.schedule_messages(ServiceBusMessage("later"), dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
        dead, deferred, _locked = receive(receiver, 3)
        receiver.dead_letter_message(dead, reason="no")
        receiver.defer_message(deferred)
        counts = bus.counts("orders")
        assert (counts.active, counts.locked, counts.scheduled, counts.deferred, counts.dead_letters) == (1, 1, 1, 1, 1)
        found = admin.get_queue_runtime_properties("orders")
    assert (found.total_message_count, found.active_message_count) == (5, 3)
    assert (found.dead_letter_message_count, found.scheduled_message_count) == (1, 1)
    assert found.size_in_bytes == counts.size > 0


def test_a_queue_is_changed_and_deleted_and_its_links_end(
    bus_client: ServiceBusClient, admin: ServiceBusAdministrationClient
):
    queue = admin.create_queue("orders")
    queue.max_delivery_count = 1
    admin.update_queue(queue)
    assert admin.get_queue("orders").max_delivery_count == 1
    with bus_client.get_queue_receiver("orders") as receiver:
        send(bus_client, "orders", "x")
        receiver.abandon_message(receive(receiver, 1)[0])
        assert admin.get_queue_runtime_properties("orders").dead_letter_message_count == 1
        admin.delete_queue("orders")
        with pytest.raises(Exception, match=r"was deleted|could not be found"):
            receiver.receive_messages(max_wait_time=5)
    with pytest.raises(ResourceNotFoundError):
        admin.get_queue("orders")
    with pytest.raises(ResourceNotFoundError, match="orders"):
        admin.delete_queue("orders")


def test_what_cannot_be_done_is_refused_with_the_reason(admin: ServiceBusAdministrationClient):
    queue = admin.create_queue("orders")
    with pytest.raises(ResourceExistsError, match="already"):
        admin.create_queue("ORDERS")
    queue.requires_session = True
    with pytest.raises(ResourceExistsError, match="RequiresSession of a queue cannot be changed"):
        admin.update_queue(queue)
    with pytest.raises(HttpResponseError, match="LockDuration: Input should be less than or equal to"):
        admin.create_queue("slow", lock_duration=dt.timedelta(minutes=10))
    with pytest.raises(HttpResponseError, match="only queues are offered"):
        admin.create_topic("news")


def test_queues_are_listed_page_by_page(bus: Emulator, admin: ServiceBusAdministrationClient):
    assert list(admin.list_queues()) == []
    names = [bus.add_queue(f"q{number:03}") for number in range(230)]
    assert [queue.name for queue in admin.list_queues()] == names
    assert [found.name for found in admin.list_queues_runtime_properties()] == names
    assert list(admin.list_topics()) == []
    assert admin.get_namespace_properties().messaging_sku == "Standard"


def test_messages_and_dead_letters_are_forwarded(bus_client: ServiceBusClient, admin: ServiceBusAdministrationClient):
    for name, forwards in (
        ("archive", {}),
        ("orders", {"forward_dead_lettered_messages_to": "archive"}),
        ("inbox", {"forward_to": "orders"}),
    ):
        admin.create_queue(name, **forwards)
    assert admin.get_queue("inbox").forward_to.endswith("orders")
    send(bus_client, "inbox", "x")
    with bus_client.get_queue_receiver("orders") as receiver:
        (message,) = receive(receiver, 1)
        assert message.enqueued_sequence_number == 1
        receiver.dead_letter_message(message, reason="no")
    with bus_client.get_queue_receiver("archive") as receiver:
        (message,) = receive(receiver, 1)
        assert (message.dead_letter_source, message.dead_letter_reason) == ("orders", "no")
    with pytest.raises(Exception, match="forwards its messages to orders"):
        bus_client.get_queue_receiver("inbox").receive_messages(max_wait_time=5)
    with pytest.raises(ResourceExistsError, match="inbox forwards to orders"):
        admin.delete_queue("orders")


def test_messages_that_run_in_a_circle_end_as_dead_letters(bus: Emulator, bus_client: ServiceBusClient):
    bus.add_queue("a")
    bus.add_queue("b", ForwardTo="a")
    bus.update_queue("a", bus.queue("a").properties.model_copy(update={"ForwardTo": "b"}))
    send(bus_client, "a", "round")
    counts = [bus.counts(name) for name in ("a", "b")]
    assert [found.total for found in counts] == [1, 0]
    assert counts[0].dead_letters == 1


def test_it_says_that_it_is_healthy(bus: Emulator):
    assert ask(bus, "GET", "health") == (200, {"status": "healthy"})


def test_a_purge_over_http_leaves_nothing(bus: Emulator, bus_client: ServiceBusClient):
    bus.add_queue("orders")
    send(bus_client, "orders", "a", "b", "c")
    with bus_client.get_queue_receiver("orders") as receiver, bus_client.get_queue_sender("orders") as sender:
        sender.schedule_messages(ServiceBusMessage("later"), dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1))
        receiver.dead_letter_message(receive(receiver, 1)[0])
        receive(receiver, 1)
        assert ask(bus, "GET", "$emulator/queues")[1]["orders"]["dead_letters"] == 1
        assert ask(bus, "DELETE", "$emulator/queues/orders/messages") == (200, {"purged": 4})
        assert bus.counts("orders").total == 0
        send(bus_client, "orders", "d")
        assert bodies(receive(receiver, 1)) == ["d"]
    assert ask(bus, "GET", "$emulator/queues/orders")[1]["scheduled"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "queues/none/expire-locks", None, 404, "could not be found"),
        ("POST", "explode", None, 404, "no control POST /$emulator/explode"),
        ("POST", "queues/orders/settlement-faults", {"fault": "explode"}, 400, "fault: Input should be 'delay'"),
        ("POST", "queues/orders/settlement-faults", {}, 400, "fault: Field required"),
    ],
)
def test_a_control_that_makes_no_sense_is_refused_with_the_reason(
    bus: Emulator, method: str, path: str, body: object, status: int, says: str
):
    bus.add_queue("orders")
    found, answer = ask(bus, method, f"$emulator/{path}", body)
    assert found == status
    assert says in answer["error"]
