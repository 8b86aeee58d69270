"""Links to the queue: quick to leave, and closed together if one of them cannot be opened."""

import pytest
from azure.servicebus import ServiceBusSubQueue

from connections.service_bus import open_link, open_links, queue_receiver, service_bus_client, service_bus_errors
from contracts.errors import ConfigurationError
from settings import Settings


def test_a_link_is_closed_without_waiting_for_a_thread_that_sleeps(
    environ: dict[str, str], queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing by the SDK alone waits for its thread that pings, half a second on average."""
    waited: list[object] = []
    with service_bus_client(Settings.from_env(environ)) as client:
        with open_link(queue_receiver(client, queue), queue) as receiver:
            assert receiver.peek_messages() == []
            pings = receiver._handler._keep_alive_thread
            assert pings.is_alive()
            monkeypatch.setattr(pings, "join", lambda *timeout: waited.append(timeout))
        assert receiver._handler is None or not receiver._handler._connection
    assert waited == []


def test_links_that_are_opened_side_by_side_are_all_usable(environ: dict[str, str], queue: str) -> None:
    with service_bus_client(Settings.from_env(environ)) as client:
        links = [queue_receiver(client, queue, sub_queue=one) for one in (None, ServiceBusSubQueue.DEAD_LETTER)]
        with open_links(links, queue) as (receiver, letters):
            assert receiver.peek_messages() == letters.peek_messages() == []


def test_one_link_that_cannot_be_opened_closes_the_others(environ: dict[str, str], queue: str) -> None:
    with service_bus_client(Settings.from_env(environ)) as client:
        links = [queue_receiver(client, name) for name in (queue, "nowhere")]
        with (
            pytest.raises(ConfigurationError, match="no such queue"),
            service_bus_errors("peek", "nowhere"),
            open_links(links, queue),
        ):
            pass
        assert [link._handler for link in links] == [None, None]
