"""A progress bar for commands that move bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn


@contextmanager
def bytes_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows progress out of `total` bytes on stderr, if it is a terminal. Call it with the number of bytes done."""
    with later_bar(what) as begun:
        yield begun(total)


@contextmanager
def later_bar(what: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """As bytes_bar, and appears when it is called with the total, which is 0 if nobody knows."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:

        def begun(total: int) -> Callable[[int], None]:
            task = progress.add_task(what, total=total or None)
            return lambda count: progress.update(task, advance=count)

        yield begun
