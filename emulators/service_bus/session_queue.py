"""A queue whose messages belong to sessions: only the holder of a session gets its messages."""

from collections.abc import Iterable
from dataclasses import dataclass

from emulators.service_bus.queue import Queue
from emulators.service_bus.rules import NotAllowed, Rules, SessionHeld, SessionLost
from emulators.service_bus.stored import Stored
from emulators.service_bus.timers import Timers


@dataclass(slots=True, eq=False)
class Hold:
    """A held session. lost: its time is over."""

    session: str
    until_ms: int
    lost: bool = False


class SessionQueue(Queue):
    """A queue with sessions. The lock of a message lasts as long as the hold on its session."""

    def __init__(self, name: str, rules: Rules, dead_letters: Queue | None = None) -> None:
        super().__init__(name, rules, dead_letters, by_session=True)
        self._holds: dict[str, Hold] = {}
        self._ends = Timers[str]()
        self._states: dict[str, bytes] = {}

    def advance(self, now: int) -> None:
        """Apply what is due. The end of a session's lock counts as a failed delivery of its messages."""
        if now < self._wake:
            return
        for session in self._ends.due(now):
            self._drop(self._holds[session], now, failed=True)
        super().advance(now)

    def check(self, message: Stored) -> None:
        """Raise NotAllowed if a message belongs to no session."""
        if message.session_id is None:
            raise NotAllowed(f"{self.name} requires sessions: set the session id of the message")

    def enqueue(self, message: Stored, now: int) -> int:
        """Take a message. Raises NotAllowed if it belongs to no session."""
        self.check(message)
        return super().enqueue(message, now)

    def hold(self, session: str | None, now: int) -> Hold | None:
        """Hold a session, or the first free one with messages. Returns None if there is none.

        Raises SessionHeld if somebody holds the session already.
        """
        self.advance(now)
        if session is None:
            session = next((free for free in self._ready.sessions() if free not in self._holds), None)
            if session is None:
                return None
        elif session in self._holds:
            raise SessionHeld(f"the session {session!r} of {self.name} is held by another receiver")
        hold = self._holds[session] = Hold(session, now + self.rules.lock_ms)
        self._remind(self._ends, session, hold.until_ms)
        return hold

    def let_go(self, hold: Hold, now: int) -> None:
        """Release a session. Its locked messages can be received again, and no delivery counts."""
        self.advance(now)
        if not hold.lost:
            self._drop(hold, now, failed=False)

    def renew_session(self, session: str, now: int) -> int:
        """Renew the hold on a session. Returns its new end. Raises SessionLost."""
        self.advance(now)
        hold = self._holds.get(session)
        if hold is None:
            raise SessionLost(f"nobody holds the session {session!r} of {self.name}")
        hold.until_ms = now + self.rules.lock_ms
        self._remind(self._ends, session, hold.until_ms)
        return hold.until_ms

    def receive_deferred(self, numbers: Iterable[int], now: int, *, take: bool = False) -> list[Stored]:
        """Lock or remove deferred messages by sequence number. Raises NotFound, SessionLost for a free session."""
        wanted = list(numbers)
        for number in wanted:
            message = self._browse.get(number)
            if message is not None and message.session_id not in self._holds:
                raise SessionLost(f"nobody holds the session {message.session_id!r} of {self.name}")
        return super().receive_deferred(wanted, now, take=take)

    def sessions(self, now: int) -> list[str]:
        """List the sessions that have messages or a state, by name."""
        held = {message.session_id for message in self.peek(0, now) if message.session_id is not None}
        return sorted(held | set(self._states))

    def expire_locks(self, now: int) -> int:
        """End every hold, as if its time were over. Returns their number."""
        self.advance(now)
        holds = list(self._holds.values())
        for hold in holds:
            self._drop(hold, now, failed=True)
        return len(holds)

    def state(self, session: str) -> bytes | None:
        """Return the state of a session."""
        return self._states.get(session)

    def set_state(self, session: str, state: bytes | None) -> None:
        """Store bytes for a session; None removes them."""
        if state is None:
            self._states.pop(session, None)
        else:
            self._states[session] = state

    def _deadlines(self) -> list[int]:
        due = self._ends.next_due
        return super()._deadlines() + ([] if due is None else [due])

    def _drop(self, hold: Hold, now: int, *, failed: bool) -> None:
        hold.lost = True
        del self._holds[hold.session]
        self._ends.drop(hold.session)
        for message in self._locks.held():
            if message.session_id == hold.session:
                self._give_back(message, now, failed=failed)
