"""The asynchronous SDK meets the same broker."""

import asyncio
import datetime as dt
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessagingEntityNotFoundError
from support.broker import Broker, bodies


def client(broker: Broker) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)


def test_messages_are_sent_settled_in_every_way_and_scheduled(broker: Broker, queue: str):
    async def run() -> None:
        async with client(broker) as bus, bus.get_queue_sender(queue) as sender:
            await sender.send_messages([ServiceBusMessage(body) for body in ("done", "bad", "again", "aside")])
            due = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
            await sender.cancel_scheduled_messages(await sender.schedule_messages(ServiceBusMessage("never"), due))
            async with bus.get_queue_receiver(queue) as receiver:
                messages = await receiver.receive_messages(4, max_wait_time=20)
                done, bad, again, aside = messages
                assert await receiver.renew_message_lock(done) >= done.enqueued_time_utc
                await receiver.complete_message(done)
                await receiver.dead_letter_message(bad, reason="Broken", error_description="why")
                await receiver.abandon_message(again)
                await receiver.defer_message(aside)
                (repeated,) = await receiver.receive_messages(1, max_wait_time=20)
                assert (str(repeated), repeated.delivery_count) == ("again", 1)
                (deferred,) = await receiver.receive_deferred_messages(aside.sequence_number)
                await receiver.complete_message(deferred)
                assert bodies(await receiver.peek_messages(10, sequence_number=1)) == ["again"]
            async with bus.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
                (dead,) = await receiver.receive_messages(1, max_wait_time=20)
                assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("Broken", "why")
                await receiver.complete_message(dead)

    finish(run())


def finish(work: Coroutine[object, object, None]) -> None:
    """Runs it in a thread: another test of this process may have left a running loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


def test_an_unknown_queue_is_reported_as_not_found(broker: Broker):
    async def run() -> None:
        async with client(broker) as bus, bus.get_queue_sender("missing") as sender:
            await sender.send_messages(ServiceBusMessage("x"))

    with pytest.raises(MessagingEntityNotFoundError):
        finish(run())
