"""A queue with sessions as a state machine, its clock in hand."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import LockLost, NotAllowed, Rules, SessionHeld, SessionLost
from emulators.service_bus.session_queue import Hold, SessionQueue
from emulators.service_bus.stored import Stored

NOW = 1_800_000_000_000
MINUTE = 60_000


def session_queue(**rules) -> SessionQueue:
    return SessionQueue("q", Rules(**rules), Queue("q/$DeadLetterQueue", Rules(max_deliveries=None)))


def held(queue: SessionQueue, session: str | None, now: int = NOW) -> Hold:
    hold = queue.hold(session, now)
    assert hold is not None
    return hold


def test_a_hold_that_ends_in_the_moment_in_which_it_is_given_back_has_ended():
    q = session_queue()
    q.enqueue(Stored("x", session_id="a"), NOW)
    hold = held(q, "a")
    assert q.receive(NOW, "a") is not None
    q.let_go(hold, NOW + MINUTE)
    again = q.receive(NOW + MINUTE, "a")
    assert again is not None
    assert again.delivery_count == 1


def test_a_session_is_held_once_and_free_after_its_time():
    q = session_queue()
    hold = held(q, "a")
    with pytest.raises(SessionHeld):
        q.hold("a", NOW + MINUTE - 1)
    assert held(q, "a", NOW + MINUTE) is not hold
    assert hold.lost
    with pytest.raises(SessionLost):
        q.renew_session("b", NOW + MINUTE)


def test_a_message_of_no_session_is_refused():
    with pytest.raises(NotAllowed, match="requires sessions"):
        session_queue().enqueue(Stored("x"), NOW)


class SessionsStayApart(RuleBasedStateMachine):
    """Whatever is done: order within a session, one holder each, and nothing lost."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.dead_letters = Queue("q/$DeadLetterQueue", Rules(max_deliveries=None))
        self.queue = SessionQueue("q", Rules(max_deliveries=3), self.dead_letters)
        self.sent = self.done = 0
        self.holds: list[Hold] = []

    def live(self) -> list[Hold]:
        self.queue.advance(self.now)
        self.holds = [hold for hold in self.holds if not hold.lost]
        return self.holds

    @rule(session=st.sampled_from("abc"))
    def enqueue(self, session: str) -> None:
        self.queue.enqueue(Stored(self.sent, session_id=session), self.now)
        self.sent += 1

    @rule(session=st.sampled_from(["a", "b", "c", None]))
    def hold(self, session: str | None) -> None:
        names = {hold.session for hold in self.live()}
        if session in names:
            with pytest.raises(SessionHeld):
                self.queue.hold(session, self.now)
        elif (hold := self.queue.hold(session, self.now)) is not None:
            assert hold.session not in names
            self.holds.append(hold)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(self.live())).session
        waiting = [m for m in self.queue.peek(0, self.now) if m.session_id == session and m.lock is None]
        got = self.queue.receive(self.now, session)
        assert (got.content if got else None) == min((m.content for m in waiting), default=None)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), complete=st.booleans())
    def settle(self, data: st.DataObject, *, complete: bool) -> None:
        tokens = [m.lock for m in self.queue.peek(0, self.now) if m.lock is not None]
        if tokens:
            (self.queue.complete if complete else self.queue.abandon)(data.draw(st.sampled_from(tokens)), self.now)
            self.done += complete

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(self.live()))
        tokens = [m.lock for m in self.queue.peek(0, self.now) if m.session_id == hold.session and m.lock is not None]
        self.queue.let_go(hold, self.now)
        for token in tokens:
            with pytest.raises(LockLost):
                self.queue.complete(token, self.now)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        hold = data.draw(st.sampled_from(self.live()))
        assert self.queue.renew_session(hold.session, self.now) == self.now + MINUTE == hold.until_ms

    @rule(ms=st.sampled_from([1, MINUTE // 2, MINUTE]))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def nothing_is_lost(self) -> None:
        alive = list(self.queue.peek(0, self.now))
        dead = list(self.dead_letters.peek(0, self.now))
        assert len(alive) + len(dead) + self.done == self.sent
        names = {hold.session for hold in self.live()}
        assert all(m.lock is None or m.session_id in names for m in alive)
        assert self.queue.next_due > self.now


TestSessionsStayApart = SessionsStayApart.TestCase
TestSessionsStayApart.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)
