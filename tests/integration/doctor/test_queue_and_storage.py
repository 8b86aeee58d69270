"""The queue and the container: problems are found, and the checks leave no trace."""

import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.storage.blob import ContainerClient

from devstack.stack import Stack
from doctor.checks.queue import queue_is_set_up
from doctor.checks.storage import probed
from doctor.site import Site
from emulators.certificate import create_certificate
from emulators.service_bus.emulator import Emulator, Tls


def test_a_missing_queue_is_reported_with_the_command_that_makes_it(doctor: Callable[..., Any]) -> None:
    report = doctor(TAILRACE_QUEUE="not-there", with_queue=True)
    failure = report.failure("queue")
    assert "there is no such queue in this namespace" in failure.says
    assert "az servicebus queue create" in failure.advice
    assert "--enable-duplicate-detection true" in failure.advice
    assert report.skipped == {"queue properties"}


def test_dead_letters_are_counted_and_left_in_place(doctor: Callable[..., Any], stack: Stack, queue: str) -> None:
    with ServiceBusClient.from_connection_string(stack.service_bus.connection_string) as client:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages([ServiceBusMessage(b"x", message_id=str(n)) for n in range(3)])
        with client.get_queue_receiver(queue) as receiver:
            for message in receiver.receive_messages(2, max_wait_time=5):
                receiver.dead_letter_message(message)
    [found] = doctor(with_queue=True).of("queue", "warning")
    assert (found.says, found.advice) == ("2 wait for a person", "tailrace dlq list")
    with ServiceBusClient.from_connection_string(stack.service_bus.connection_string) as client:
        with client.get_queue_receiver(queue) as receiver:
            [waiting] = receiver.receive_messages(2, max_wait_time=2)
    assert waiting.delivery_count == 0


def test_a_missing_container_is_reported_with_the_command_that_makes_it(doctor: Callable[..., Any]) -> None:
    failure = doctor(TAILRACE_CONTAINER="not-there").failure("storage container")
    assert failure.says == "there is no such container"
    assert failure.advice.startswith("az storage container create")


def test_the_probe_is_gone_afterwards(doctor: Callable[..., Any], container: ContainerClient) -> None:
    assert "it was written once" in doctor().of("storage blobs", "ok")[0].says
    assert list(container.list_blobs(include=["uncommittedblobs"])) == []


def test_no_blob_is_created_if_it_could_not_be_deleted(container: ContainerClient) -> None:
    [found] = probed(container.get_blob_client("probe"), leave_no_blob=True)
    assert found.verdict == "ok"
    assert list(container.list_blobs()) == []


def test_a_probe_that_cannot_be_written_says_why(container: ContainerClient) -> None:
    container.upload_blob("probe", b"somebody else's")
    [found] = probed(container.get_blob_client("probe"), leave_no_blob=False)
    assert found.verdict == "failed"
    assert container.download_blob("probe").readall() == b"somebody else's"


@pytest.fixture
def namespace(tmp_path: Path) -> Iterator[Emulator]:
    """A namespace whose management address serves HTTPS, as Azure's does."""
    made = create_certificate(tmp_path)
    with Emulator(tls=Tls(made.certificate, made.key)) as bus:
        yield bus


def in_azure(port: int) -> str:
    """A connection string without the flag by which emulators are known."""
    return f"Endpoint=sb://localhost:{port}/;SharedAccessKeyName=a;SharedAccessKey=YQ=="


@pytest.fixture
def unauthorized(tmp_path: Path) -> Iterator[int]:
    """The port of a management address that lets nobody in."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    certificate = create_certificate(tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def site_of(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Site]:
    """A site with another connection string, whose authority is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return lambda connection: Site({**environ, "ServiceBusConnection": connection}, tmp_path)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"LockDuration": "PT5M"}, ("ok", "locks of 0:05:00")),
        ({"LockDuration": "PT5M", "RequiresDuplicateDetection": False}, ("warning", "no duplicate detection")),
        ({"LockDuration": "PT10S"}, ("warning", "locks of 10 s")),
        ({"DeadLetteringOnMessageExpiration": False}, ("warning", "requests that expire vanish")),
        ({"RequiresSession": True}, ("failed", "it asks for sessions")),
        ({"MaxDeliveryCount": 2}, ("warning", "max delivery count 2")),
    ],
)
def test_what_exports_could_fail_by_is_seen_in_the_properties_of_the_queue(
    site_of: Callable[[str], Site], namespace: Emulator, properties: dict[str, object], expected: tuple[str, str]
) -> None:
    site = site_of(in_azure(namespace.admin_port))
    fit = {"RequiresDuplicateDetection": True, "DeadLetteringOnMessageExpiration": True}
    namespace.add_queue(site.settings.queue, **{**fit, **properties})
    [found] = queue_is_set_up(site)
    assert (found.verdict, found.says[: len(expected[1])]) == expected


def test_properties_that_may_not_be_seen_are_reported_with_the_command_that_shows_them(
    site_of: Callable[[str], Site], unauthorized: int
) -> None:
    [found] = queue_is_set_up(site_of(in_azure(unauthorized)))
    assert found.verdict == "warning"
    assert found.says.startswith("cannot be seen without Manage rights")
    assert found.advice.startswith("az servicebus queue show")
