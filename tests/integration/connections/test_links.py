"""Links to the queue: quick to leave, and closed together if one of them cannot be opened."""

from time import monotonic

import pytest
from azure.servicebus import ServiceBusSubQueue

from connections.service_bus import open_link, open_links, queue_receiver, service_bus_client, service_bus_errors
from contracts.errors import ConfigurationError
from settings import Settings


def test_a_link_is_closed_without_waiting_for_a_thread_that_sleeps(environ: dict[str, str], queue: str) -> None:
    """Closing by the SDK alone takes half a second on average, whatever the machine does."""
    waited = 0.0
    with service_bus_client(Settings.from_env(environ)) as client:
        for _ in range(4):
            with open_link(queue_receiver(client, queue), queue) as receiver:
                assert receiver.peek_messages() == []
                began = monotonic()
            waited += monotonic() - began
    assert waited < 1.0


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
