"""What is printed: results on stdout, complaints on stderr; colours only on a terminal."""

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text


def say(*lines: str) -> None:
    """Prints lines to stdout as they are: no markup, no wrapping."""
    for line in lines:
        Console(highlight=False).print(Text(line), soft_wrap=True)


def complain(problems: Iterable[str]) -> None:
    """Prints each problem to stderr as one line `error: …`."""
    console = Console(stderr=True, highlight=False)
    for problem in problems:
        console.print(Text(f"error: {problem}", style="red"), soft_wrap=True)
