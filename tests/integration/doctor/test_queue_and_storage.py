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

from devstack.certificate import create_certificate
from devstack.stack import Stack
from doctor.checks.queue import queue_is_set_up
from doctor.checks.storage import probed
from doctor.site import Site

DESCRIPTION = """<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">exports</title>
<content type="application/xml">
<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">
<LockDuration>{lock}</LockDuration><RequiresDuplicateDetection>{duplicates}</RequiresDuplicateDetection>
<RequiresSession>false</RequiresSession><DeadLetteringOnMessageExpiration>true</DeadLetteringOnMessageExpiration>
<MaxDeliveryCount>10</MaxDeliveryCount></QueueDescription></content></entry>"""


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
def namespace(tmp_path: Path) -> Iterator[Callable[[int, str], str]]:
    """The management address of a namespace, over TLS: gives its connection string for a status and a body."""
    certificate = create_certificate(tmp_path)
    answer: list[tuple[int, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answer[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/atom+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()

        def says(status: int, body: str) -> str:
            answer[:] = [(status, body)]
            return f"Endpoint=sb://localhost:{server.server_address[1]}/;SharedAccessKeyName=a;SharedAccessKey=YQ=="

        yield says
        server.shutdown()
        thread.join()


@pytest.fixture
def site_of(environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Site]:
    """A site with another connection string, whose authority is trusted."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return lambda connection: Site({**environ, "ServiceBusConnection": connection}, tmp_path)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((200, DESCRIPTION.format(lock="PT5M", duplicates="true")), ("ok", "locks of 0:05:00")),
        ((200, DESCRIPTION.format(lock="PT5M", duplicates="false")), ("warning", "no duplicate detection")),
        ((200, DESCRIPTION.format(lock="PT10S", duplicates="true")), ("warning", "locks of 10 s")),
        ((401, ""), ("warning", "cannot be seen without Manage rights")),
    ],
)
def test_properties_are_seen_with_the_right_to_and_else_it_is_reported_how(
    site_of: Callable[[str], Site],
    namespace: Callable[[int, str], str],
    answer: tuple[int, str],
    expected: tuple[str, str],
) -> None:
    [found] = queue_is_set_up(site_of(namespace(*answer)))
    assert (found.verdict, found.says[: len(expected[1])]) == expected
