"""Progress bars: on a terminal's stderr, and nothing elsewhere."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from worker.progress import progress as progress_of_exports

_LOOK_SECONDS = 0.2


@contextmanager
def bytes_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows progress out of `total` bytes on stderr, if it is a terminal. Call it with the number of bytes done."""
    with later_bar(what) as begun:
        yield begun(total)


@contextmanager
def later_bar(what: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """As bytes_bar, and appears when it is called with the total, which is 0 if nobody knows."""
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bar(*columns) as progress:

        def begun(total: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=total or None)
            return lambda count: progress.update(task, advance=count)

        yield begun


@contextmanager
def count_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Shows how many of how many are done. Call it with both, or None if nobody knows of how many."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    with _bar(*columns) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def export_bar(what: str) -> Iterator[None]:
    """Shows rows, bytes and speed of the export that the block runs."""
    rows = TextColumn("{task.fields[rows]:,} rows")
    columns = (TextColumn(what), BarColumn(), rows, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bar(*columns) as progress:
        task = progress.add_task(what, total=None, rows=0)

        def look() -> None:
            now = progress_of_exports()
            # The planner may expect too little; a full bar would say that nothing is left.
            total = now.expected_bytes if now.expected_bytes > now.bytes else None
            progress.update(task, completed=now.bytes, total=total, rows=now.rows)

        with _repeated(look):
            yield


@contextmanager
def status_line(text: Callable[[], str]) -> Iterator[None]:
    """Shows `text()` as the last line of a terminal, below all that is logged in the block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return

    def line() -> Text:
        return Text(text(), no_wrap=True, overflow="ellipsis")

    # It passes on what others write to stderr, above the line.
    with Live(get_renderable=line, console=console, refresh_per_second=4, transient=True):
        yield


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=20)

    def of(self, size: int, now: float) -> float:
        """The speed, if `size` bytes are done at the time `now` in seconds.

        >>> speed = Speed()
        >>> speed.of(0, 10.0), speed.of(300, 12.0), speed.of(600, 14.0)
        (0.0, 150.0, 150.0)
        """
        self._seen.append((now, size))
        began, before = self._seen[0]
        return (size - before) / (now - began) if now > began else 0.0


@contextmanager
def _repeated(look: Callable[[], None]) -> Iterator[None]:
    """Calls `look` a few times a second, in a thread, until the block ends."""
    done = Event()

    def run() -> None:
        while not done.wait(_LOOK_SECONDS):
            look()

    thread = Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _bar(*columns: TextColumn | BarColumn | DownloadColumn | object) -> Progress:
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)  # type: ignore[arg-type]
