"""As python_sync.py, by azure.servicebus.aio.

python python_aio.py CONNECTION_STRING
"""

import asyncio
import datetime as dt
import json
import sys
from pathlib import Path

from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue, __version__
from azure.servicebus.aio import ServiceBusClient

sys.path.insert(0, str(Path(__file__).parents[1]))
from pauses import look_often


def message(item):
    schedule = item.get("in_s")
    due = None if schedule is None else dt.datetime.now(dt.UTC) + dt.timedelta(seconds=schedule)
    return ServiceBusMessage(
        item["body"], message_id=item.get("id"), session_id=item.get("session"), scheduled_enqueue_time_utc=due
    )


def seen(item):
    return {
        "body": str(item), "id": item.message_id, "count": item.delivery_count, "number": item.sequence_number,
        "session": item.session_id, "reason": item.dead_letter_reason, "state": item.state.name.lower(),
    }  # fmt: skip


class Driver:
    def __init__(self, connection_string):
        self.client = ServiceBusClient.from_connection_string(connection_string, retry_total=1)
        self.receivers, self.received = {}, {}

    async def send(self, queue, messages, batch=False):
        async with self.client.get_queue_sender(queue) as sender:
            found = [message(item) for item in messages]
            if batch:
                whole = await sender.create_message_batch()
                for item in found:
                    whole.add_message(item)
                found = whole
            await sender.send_messages(found)

    async def schedule(self, queue, body, in_s):
        async with self.client.get_queue_sender(queue) as sender:
            due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=in_s)
            return (await sender.schedule_messages(ServiceBusMessage(body), due))[0]

    async def cancel(self, queue, number):
        async with self.client.get_queue_sender(queue) as sender:
            await sender.cancel_scheduled_messages(number)

    async def open(self, queue, dead_letters=False, delete=False, session=None):
        options = {"receive_mode": "receiveanddelete" if delete else "peeklock"}
        if dead_letters:
            options["sub_queue"] = ServiceBusSubQueue.DEAD_LETTER
        if session is not None:
            options["session_id"] = session
        self.receivers[queue] = await self.client.get_queue_receiver(queue, **options).__aenter__()

    async def close(self, queue):
        await self.receivers.pop(queue).close()

    async def version(self, queue):
        return __version__

    def take(self, queue, found):
        for item in found:
            self.received[queue, item.sequence_number] = item
        return [seen(item) for item in found]

    async def receive(self, queue, count, wait_s):
        receiver = self.receivers[queue]
        return self.take(queue, await receiver.receive_messages(max_message_count=count, max_wait_time=wait_s))

    async def receive_deferred(self, queue, number):
        return self.take(queue, await self.receivers[queue].receive_deferred_messages(number))

    async def peek(self, queue):
        return [seen(item) for item in await self.receivers[queue].peek_messages(100, sequence_number=1)]

    async def settle(self, queue, number, how):
        item, receiver = self.received[queue, number], self.receivers[queue]
        if how == "dead_letter":
            await receiver.dead_letter_message(item, reason="why", error_description="because")
        else:
            await getattr(receiver, f"{how}_message")(item)

    async def renew(self, queue, number):
        await self.receivers[queue].renew_message_lock(self.received[queue, number])


async def main():
    look_often()
    driver = Driver(sys.argv[1])
    while line := await asyncio.to_thread(sys.stdin.readline):
        name, arguments = json.loads(line)
        try:
            answer = {"result": await getattr(driver, name)(**arguments)}
        except Exception as error:  # noqa: BLE001  whatever the library raises is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    await driver.client.close()


if __name__ == "__main__":
    asyncio.run(main())
