"""Cancellation: how the parts of an export learn that they are to stop."""

from threading import Event

from contracts.errors import ExportInterrupted


class Cancellation:
    """A flag that threads share; safe for threads. A child is also set once its parent is."""

    def __init__(self, parent: "Cancellation | None" = None) -> None:
        self._parent = parent
        # Set by whoever cancels, read by all that work; an Event is its own lock.
        self._event = Event()

    def child(self) -> "Cancellation":
        """A cancellation of a part of the work: setting it leaves this one alone."""
        return Cancellation(self)

    def set(self) -> None:
        """Cancels the work. Safe in a signal handler."""
        self._event.set()

    def is_set(self) -> bool:
        """Whether the work is to stop."""
        return self._event.is_set() or (self._parent is not None and self._parent.is_set())

    def wait(self, seconds: float) -> bool:
        """Waits until the work is cancelled, for `seconds` at most; returns whether it is."""
        self._event.wait(seconds)
        return self.is_set()

    def raise_if_set(self) -> None:
        """Raises ExportInterrupted once the work is cancelled."""
        if self.is_set():
            raise ExportInterrupted("the export was stopped: its lock is lost or this process is stopping")
