"""One queue as a state machine, its clock in hand."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import LockLost, NotAllowed, NotFound, Rules
from emulators.service_bus.stored import Stored

NOW = 1_800_000_000_000
MINUTE = 60_000


def queue(**rules) -> Queue:
    return Queue("q", Rules(**rules), Queue("q/$DeadLetterQueue", Rules(max_deliveries=None)))


def message(text: str = "x", **facts) -> Stored:
    return Stored(text, **facts)


def held(message: Stored | None) -> bytes:
    assert message is not None
    assert message.lock is not None
    return message.lock


def texts(queue: Queue | None, now: int = NOW) -> list[str]:
    assert queue is not None
    return [message.content for message in queue.peek(0, now)]


def test_a_lock_holds_until_its_last_moment_and_not_at_its_end():
    q = queue()
    q.enqueue(message(), NOW)
    token = held(q.receive(NOW))
    assert q.receive(NOW + MINUTE - 1) is None
    again = q.receive(NOW + MINUTE)
    assert again is not None
    assert again.delivery_count == 1
    with pytest.raises(LockLost):
        q.complete(token, NOW + MINUTE)


def test_a_renewal_counts_from_the_moment_of_renewal():
    q = queue()
    q.enqueue(message(), NOW)
    token = held(q.receive(NOW))
    assert q.renew(token, NOW + 59_000) == NOW + 119_000
    assert q.receive(NOW + 118_999) is None
    assert q.receive(NOW + 119_000) is not None


def test_an_operation_on_a_lapsed_lock_is_refused_even_if_nothing_advanced_the_queue():
    for operation in ("complete", "abandon", "release", "defer", "renew"):
        q = queue()
        q.enqueue(message(), NOW)
        token = held(q.receive(NOW))
        with pytest.raises(LockLost):
            getattr(q, operation)(token, NOW + MINUTE)


def test_returned_messages_go_back_to_their_place():
    q = queue()
    for text in "abcd":
        q.enqueue(message(text), NOW)
    first, second = q.receive(NOW), q.receive(NOW)
    q.release(held(second), NOW)
    q.abandon(held(first), NOW)
    assert [q.take(NOW).content for _ in "abcd"] == list("abcd")


def test_failures_count_up_to_the_limit_whatever_their_kind():
    q = queue(max_deliveries=3)
    q.enqueue(message(), NOW)
    q.abandon(held(q.receive(NOW)), NOW)
    q.release(held(q.receive(NOW)), NOW)
    q.receive(NOW)
    q.advance(NOW + MINUTE)
    assert texts(q.dead_letters) == []
    q.abandon(held(q.receive(NOW + MINUTE)), NOW + MINUTE)
    assert texts(q, NOW + MINUTE) == []
    (dead,) = q.dead_letters.peek(0, NOW + MINUTE)
    assert (dead.dead_letter.reason, dead.delivery_count) == ("MaxDeliveryCountExceeded", 3)


def test_a_dead_letter_queue_redelivers_for_ever_and_buries_nothing():
    q = queue()
    q.enqueue(message(ttl_ms=5), NOW)
    q.dead_letter(held(q.receive(NOW)), "why", None, NOW)
    for n in range(30):
        assert q.dead_letters.receive(NOW + n * MINUTE).delivery_count == n
    with pytest.raises(NotAllowed):
        q.dead_letters.dead_letter(held(next(q.dead_letters.peek(0, NOW))), None, None, NOW)


@pytest.mark.parametrize("state", ["completed", "locked", "scheduled", "dead-lettered", "cancelled", "expired"])
def test_a_duplicate_is_dropped_within_the_window_whatever_became_of_the_first(state: str):
    q = queue(duplicate_window_ms=10 * MINUTE)
    number = q.enqueue(
        message(message_id="a", ttl_ms=50, scheduled_ms=NOW + 1 if state in ("scheduled", "cancelled") else 0), NOW
    )
    match state:
        case "completed":
            q.complete(held(q.receive(NOW)), NOW)
        case "locked":
            q.receive(NOW)
        case "dead-lettered":
            q.dead_letter(held(q.receive(NOW)), None, None, NOW)
        case "cancelled":
            q.cancel([number], NOW)
        case "expired":
            q.advance(NOW + 50)
    before = texts(q)
    assert q.enqueue(message("again", message_id="a"), NOW + 10 * MINUTE - 1) > number
    assert "again" not in texts(q)
    q.enqueue(message("later", message_id="a"), NOW + 10 * MINUTE)
    assert "later" in texts(q)
    assert len(before) <= 1


def test_ids_of_different_types_are_different_ids():
    q = queue(duplicate_window_ms=MINUTE)
    for message_id in ("1", 1, b"1"):
        q.enqueue(message(message_id=message_id), NOW)
    assert len(texts(q)) == 3


def test_messages_without_an_id_are_never_duplicates():
    q = queue(duplicate_window_ms=MINUTE)
    q.enqueue(message("a"), NOW)
    q.enqueue(message("b"), NOW)
    assert texts(q) == ["a", "b"]


def test_a_scheduled_message_arrives_with_a_new_number_behind_what_is_there():
    q = queue()
    first = q.enqueue(message("scheduled", scheduled_ms=NOW + 10), NOW)
    q.enqueue(message("waiting"), NOW)
    assert q.next_due == NOW + 10
    q.advance(NOW + 10)
    waiting, arrived = q.peek(0, NOW + 10)
    assert (waiting.content, arrived.content) == ("waiting", "scheduled")
    assert arrived.sequence_number > first
    assert arrived.enqueued_ms == NOW + 10
    with pytest.raises(NotFound):
        q.cancel([first], NOW + 10)


def test_cancelling_is_all_or_nothing():
    q = queue()
    number = q.enqueue(message(scheduled_ms=NOW + 10), NOW)
    with pytest.raises(NotFound, match="no scheduled message 99"):
        q.cancel([number, 99], NOW)
    assert texts(q) == ["x"]


def test_the_shorter_time_to_live_holds():
    q = queue(ttl_ms=100)
    q.enqueue(message("default"), NOW)
    q.enqueue(message("longer", ttl_ms=500), NOW)
    q.enqueue(message("shorter", ttl_ms=50), NOW)
    assert texts(q, NOW + 50) == ["default", "longer"]
    assert texts(q, NOW + 100) == []
    assert texts(q.dead_letters) == []


def test_time_to_live_runs_from_the_arrival_of_a_scheduled_message():
    q = queue()
    q.enqueue(message(ttl_ms=50, scheduled_ms=NOW + 100), NOW)
    q.advance(NOW + 100)
    assert texts(q, NOW + 149) == ["x"]
    assert texts(q, NOW + 150) == []


def test_a_deferred_message_does_not_expire():
    q = queue(dead_letter_expired=True)
    number = q.enqueue(message(ttl_ms=50), NOW)
    q.defer(held(q.receive(NOW)), NOW)
    (again,) = q.receive_deferred([number], NOW + 100)
    q.abandon(held(again), NOW + 100)
    assert texts(q, NOW + MINUTE) == ["x"]
    assert texts(q.dead_letters, NOW + MINUTE) == []


def test_a_locked_message_outlives_its_time_and_expires_when_it_is_given_back():
    q = queue(dead_letter_expired=True)
    q.enqueue(message("completed", ttl_ms=50), NOW)
    q.enqueue(message("abandoned", ttl_ms=50), NOW)
    completed, abandoned = held(q.receive(NOW)), held(q.receive(NOW))
    q.complete(completed, NOW + 1000)
    q.abandon(abandoned, NOW + 1000)
    (dead,) = q.dead_letters.peek(0, NOW + 1000)
    assert (dead.content, dead.dead_letter.reason) == ("abandoned", "TTLExpiredException")


def test_a_deferred_message_keeps_its_state_through_every_return():
    q = queue()
    number = q.enqueue(message(), NOW)
    q.defer(held(q.receive(NOW)), NOW)
    for give_back in (q.abandon, q.release, q.defer):
        (deferred,) = q.receive_deferred([number], NOW)
        with pytest.raises(NotFound):
            q.receive_deferred([number], NOW)
        give_back(held(deferred), NOW)
        assert q.receive(NOW) is None
    q.receive_deferred([number], NOW)
    q.advance(NOW + MINUTE)
    (deferred,) = q.receive_deferred([number, number], NOW + MINUTE)
    assert deferred.delivery_count == 2
    q.complete(held(deferred), NOW + MINUTE)
    assert texts(q, NOW + MINUTE) == []


def test_a_queue_at_rest_waits_for_nothing():
    q = queue()
    q.enqueue(message(), NOW)
    q.complete(held(q.receive(NOW)), NOW)
    q.advance(NOW + MINUTE)
    assert q.next_due == float("inf")


def test_a_long_history_of_completed_messages_is_not_kept():
    q = queue(ttl_ms=10**9)
    for _ in range(5000):
        q.enqueue(message(), NOW)
        q.complete(held(q.receive(NOW)), NOW)
    q.enqueue(message("last"), NOW)
    assert texts(q) == ["last"]
    for kept in (q._browse._numbers, q._expiry._heap, q._locks._ends._heap):
        assert len(kept) < 200


class NothingIsLost(RuleBasedStateMachine):
    """Whatever is done in whatever order, each message is in exactly one place, and leaves it only by an operation."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.queue = queue(max_deliveries=3, ttl_ms=20 * MINUTE, dead_letter_expired=True)
        self.sent = self.gone = 0

    def locked(self) -> list[bytes]:
        return [m.lock for m in self.queue.peek(0, self.now) if m.lock is not None]

    @rule(delay=st.sampled_from([0, 0, 0, 5 * MINUTE]))
    def enqueue(self, delay: int) -> None:
        self.queue.enqueue(message(scheduled_ms=self.now + delay if delay else 0), self.now)
        self.sent += 1

    @rule()
    def receive(self) -> None:
        numbers = [m.sequence_number for m in self.queue.peek(0, self.now) if m.lock is None and m.state == 0]
        got = self.queue.receive(self.now)
        assert (got.sequence_number if got else None) == min(numbers, default=None)

    @rule()
    def take(self) -> None:
        self.gone += self.queue.take(self.now) is not None

    @precondition(lambda self: self.locked())
    @rule(
        operation=st.sampled_from(["complete", "abandon", "release", "defer", "renew", "dead_letter"]), data=st.data()
    )
    def settle(self, operation: str, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(self.locked()))
        arguments = ("why", None, self.now) if operation == "dead_letter" else (self.now,)
        getattr(self.queue, operation)(token, *arguments)
        self.gone += operation == "complete"

    @rule(data=st.data())
    def receive_deferred(self, data: st.DataObject) -> None:
        deferred = [m.sequence_number for m in self.queue.peek(0, self.now) if m.lock is None and m.state == 1]
        if deferred:
            self.queue.receive_deferred([data.draw(st.sampled_from(deferred))], self.now)

    @rule()
    def expire_locks(self) -> None:
        held = self.locked()
        assert self.queue.expire_locks(self.now) == len(held)
        for token in held:
            with pytest.raises(LockLost):
                self.queue.complete(token, self.now)

    @rule()
    def purge(self) -> None:
        self.gone += self.queue.purge(self.now)
        assert self.queue.receive(self.now) is None

    @rule(ms=st.sampled_from([1, MINUTE // 2, MINUTE, 5 * MINUTE, 20 * MINUTE]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def each_message_is_in_one_place(self) -> None:
        alive = list(self.queue.peek(0, self.now))
        dead = list(self.queue.dead_letters.peek(0, self.now))
        assert len(alive) + len(dead) + self.gone == self.sent
        assert len({id(m) for m in (*alive, *dead)}) == len(alive) + len(dead)
        assert all(m.delivery_count < 3 and not (m.lock is None and m.expired(self.now)) for m in alive)
        assert [m.sequence_number for m in alive] == sorted({m.sequence_number for m in alive})
        assert self.queue.next_due > self.now


TestNothingIsLost = NothingIsLost.TestCase
TestNothingIsLost.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)
