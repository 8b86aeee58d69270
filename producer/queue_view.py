"""Edge: which requests are alive on the queue, and which are dead letters, by peeking at both.

Peeking locks nothing. It shows messages that wait, that a worker holds, and that are scheduled for a retry.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from connections.service_bus import (
    answered,
    begun,
    open_link,
    open_links,
    queue_receiver,
    service_bus_client,
    service_bus_errors,
)
from connections.steering import SteeringRecords
from contracts.errors import RequestInvalid
from contracts.message import attempt_of, body_of, job_of, lineage_of, request_id_of, why_of
from contracts.request import ExportRequest, parse_request
from contracts.steering import Steering
from producer.facts import Dead, Live, QueueView, Run
from settings import Settings

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage, ServiceBusReceiver

_PAGE = 250  # messages peeked in one round trip
# A request that is asked for again and fails again leaves one more dead letter.
_DEAD_FACTOR = 10
_WINDOW = b'"window":'  # as `to_body` writes it, if there is one


def read_queue(settings: Settings, limit: int | None) -> QueueView:
    """Peeks at `limit` messages of the queue, then at ten times as many dead letters.

    In this order, since a message that is dead-lettered meanwhile is seen twice rather than never. Raises
    QueueUnavailable, or ConfigurationError if there is no such queue.
    """
    name, is_whole = settings.queue, True
    live, dead, runs = dict[UUID, Live](), dict[UUID, Dead](), dict[UUID, Run]()
    with service_bus_errors("peek", name), _opened(settings) as (steering, receiver, letters):
        for count, message in enumerate(peeked(receiver, name)):
            if count == limit:
                is_whole = False
                break
            request_id = request_id_of(message.message_id, message.body)
            if request_id and not is_cancelled(message, steering):
                live[request_id] = _live(message)
                _note_run(message, request_id, runs)
        for count, message in enumerate(peeked(letters, name)):
            if limit is not None and count == _DEAD_FACTOR * limit:
                is_whole = False
                break
            if request_id := request_id_of(message.message_id, message.body):
                dead[request_id] = _dead(message)
                _note_run(message, request_id, runs)
    return QueueView(live, dead, is_whole, steering, runs=runs)


def read_briefly(settings: Settings, job: str) -> QueueView:
    """Peeks at all messages and dead letters, and remembers those of a job only, without what is said of them.

    100 bytes for each live one: a million windows may be on the queue. Raises what read_queue raises.
    """
    live, dead, name = set[int](), dict[UUID, Dead](), settings.queue
    with service_bus_errors("peek", name), _opened(settings) as (steering, receiver, letters):
        for request_id, message in _of_job(peeked(receiver, name), job):
            if not is_cancelled(message, steering):
                live.add(request_id.int)
        for request_id, message in _of_job(peeked(letters, name), job):
            dead[request_id] = replace(_dead(message), description=None)
    return QueueView(dead=dead, orders=steering, live_ids=live)


@contextmanager
def _opened(settings: Settings) -> "Iterator[tuple[Steering, ServiceBusReceiver, ServiceBusReceiver]]":
    """What people have ordered, the queue, and its dead letters: all three are asked side by side."""
    from azure.servicebus import ServiceBusSubQueue

    ordered, name = begun(SteeringRecords(settings).look), settings.queue
    with service_bus_client(settings) as client:
        links = [
            queue_receiver(client, name, sub_queue=one, keep_alive=0) for one in (None, ServiceBusSubQueue.DEAD_LETTER)
        ]
        with open_links(links, name) as (receiver, letters):
            yield ordered.result(), receiver, letters


def _of_job(
    messages: "Iterable[ServiceBusReceivedMessage]", job: str
) -> "Iterator[tuple[UUID, ServiceBusReceivedMessage]]":
    """Those of the job, and those that name none, with the ids of their requests."""
    for message in messages:
        request_id = request_id_of(message.message_id, message.body)
        if request_id and job_of(message.application_properties) in {job, None}:
            yield request_id, message


def is_cancelled(message: "ServiceBusReceivedMessage", steering: Steering) -> bool:
    """Whether a worker will complete this message without an export, because a person has cancelled it."""
    lineage = lineage_of(message.application_properties)
    if not steering.may_cancel(job_of(message.application_properties), lineage.backfill):
        return False
    try:
        request = parse_request(body_of(message.body))
    except RequestInvalid:
        return False
    asked_at = lineage.asked_at or message.enqueued_time_utc
    return steering.is_cancelled(request.job, lineage.backfill, asked_at, request.window)


def waiting_by_backfill(receiver: "ServiceBusReceiver", queue: str) -> Counter[str]:
    """How many messages of each backfill are on the queue, those that run or wait for a retry included."""
    found = (lineage_of(message.application_properties).backfill for message in peeked(receiver, queue))
    return Counter(backfill for backfill in found if backfill)


def count_cancelled(settings: Settings, orders: Steering) -> int:
    """How many messages on the queue these orders cancel."""
    with service_bus_errors("peek", settings.queue), service_bus_client(settings) as client:
        with open_link(queue_receiver(client, settings.queue, keep_alive=0), settings.queue) as receiver:
            return sum(is_cancelled(message, orders) for message in peeked(receiver, settings.queue))


def find_requests(settings: Settings, ids: Collection[UUID]) -> dict[UUID, ExportRequest]:
    """The requests of these ids, as far as the queue holds them. What runs is near its front: it stops at the last."""
    found: dict[UUID, ExportRequest] = {}
    with service_bus_errors("peek", settings.queue), service_bus_client(settings) as client:
        with open_link(queue_receiver(client, settings.queue, keep_alive=0), settings.queue) as receiver:
            for message in peeked(receiver, settings.queue):
                request_id = request_id_of(message.message_id, message.body)
                if request_id and request_id in ids and request_id not in found:
                    with suppress(RequestInvalid):
                        found[request_id] = parse_request(body_of(message.body))
                if len(found) == len(ids):
                    break
    return found


def peeked(receiver: "ServiceBusReceiver", queue: str) -> "Iterator[ServiceBusReceivedMessage]":
    """All messages of a queue, oldest first; a page is read when it is reached."""
    following = 1
    while True:
        page = answered(queue, "a look", partial(receiver.peek_messages, _PAGE, sequence_number=following))
        if not page:
            return
        yield from page
        following = (page[-1].sequence_number or 0) + 1


def _live(message: "ServiceBusReceivedMessage") -> Live:
    attempt = attempt_of(message.application_properties, redeliveries=message.delivery_count or 0)
    backfill = lineage_of(message.application_properties).backfill
    return Live(attempt, message.scheduled_enqueue_time_utc, why_of(message.application_properties), backfill)


def _note_run(message: "ServiceBusReceivedMessage", request_id: UUID, runs: dict[UUID, Run]) -> None:
    """Most bodies have a window, and are not parsed: there may be a million."""
    body = body_of(message.body)
    if request_id in runs or _WINDOW in body:
        return
    with suppress(RequestInvalid):
        request = parse_request(body)
        if request.window is None:
            runs[request_id] = Run(request.job, request.run, request.blob)


def _dead(message: "ServiceBusReceivedMessage") -> Dead:
    return Dead(
        sequence_number=message.sequence_number or 0,
        reason=message.dead_letter_reason,
        description=message.dead_letter_error_description,
        enqueued_at=message.enqueued_time_utc,
        lineage=lineage_of(message.application_properties),
    )
