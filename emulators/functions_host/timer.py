"""Timer triggers: NCRONTAB schedules in UTC, each function on a thread of its own."""

import datetime as dt
import threading
from collections.abc import Mapping
from concurrent.futures import Future

from croniter import croniter

from emulators.functions_host.app import Function
from emulators.functions_host.app_settings import HostError, resolve
from emulators.functions_host.calls import Calls
from emulators.functions_host.journal import event
from emulators.functions_host.wire import Invocation, Outcome, typed

LATE = dt.timedelta(seconds=1)
LONGEST_WAIT_S = 30.0  # so that a clock that was set, or a machine that slept, is noticed


def next_after(schedule: str, moment: dt.datetime) -> dt.datetime:
    """Give the schedule's first time after a moment; both the day of month and the weekday must match, if given.

    >>> next_after("0 30 2 * * *", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).isoformat()
    '2026-01-01T02:30:00+00:00'
    >>> next_after("0 0 0 13 * 5", dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).date().isoformat()
    '2026-02-13'
    """
    times = croniter(schedule, moment, second_at_beginning=True, day_or=False)
    return times.get_next(dt.datetime)


class TimerTrigger:
    """Fires one function at its times, one run after the other as the real host does; can be fired by hand as well."""

    def __init__(self, function: Function, calls: Calls, settings: Mapping[str, str]) -> None:
        self.function = function
        self._calls = calls
        self._schedule = _checked(function.name, resolve(function.text("schedule"), settings))
        self._last = dt.datetime.min.replace(tzinfo=dt.UTC)

    def start(self, stopping: threading.Event) -> None:
        """Start the thread that fires the function until the host stops."""
        name = f"timer-{self.function.name}"
        threading.Thread(target=self._run, args=(stopping,), daemon=True, name=name).start()

    def fire(self, reason: str, *, past_due: bool = False) -> Future[Outcome]:
        """Invoke the function now."""
        now = dt.datetime.now(dt.UTC)
        status = {"Last": self._last, "Next": next_after(self._schedule, now), "LastUpdated": self._last}
        value = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {key: moment.isoformat() for key, moment in status.items()},
            "IsPastDue": past_due,
        }
        self._last = now
        call = Invocation(self.function.id, self.function.parameter, typed(value))
        return self._calls.invoke(self.function.name, call, reason=reason)

    def _run(self, stopping: threading.Event) -> None:
        if self.function.flag("runOnStartup"):
            self.fire("runOnStartup").result()
        while not stopping.is_set():
            due = next_after(self._schedule, dt.datetime.now(dt.UTC))
            event("info", "timer.next", function=self.function.name, at=due.isoformat())
            if _wait_until(due, stopping):
                self.fire("schedule", past_due=dt.datetime.now(dt.UTC) - due > LATE).result()


def _checked(name: str, schedule: str) -> str:
    """Give the schedule with six fields: five mean second 0, as in the real host."""
    fields = schedule.split()
    six = " ".join(["0", *fields] if len(fields) == 5 else fields)
    if len(fields) not in {5, 6} or not croniter.is_valid(six, second_at_beginning=True):
        raise HostError(
            f'The schedule "{schedule}" of the function {name} is not NCRONTAB: '
            "second minute hour day month weekday, such as 0 */5 * * * *."
        )
    return six


def _wait_until(due: dt.datetime, stopping: threading.Event) -> bool:
    """Wait until a time; return whether it has come, or the host is stopping."""
    while (left := (due - dt.datetime.now(dt.UTC)).total_seconds()) > 0:
        if stopping.wait(min(left, LONGEST_WAIT_S)):
            return False
    return True
