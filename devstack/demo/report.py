"""What the demo prints of its exports: on a terminal wrapped at its width, into a file as it is."""

from rich.console import Console
from rich.text import Text

from cli.terminal import record, say, table
from devstack.demo.restored import Proof
from devstack.demo.watch import View

_HEADINGS = ("blob", "rows", "CSV MB", "blob MB", "seconds")


def progress(view: View, expected: int, seconds: float) -> Text:
    """One line: how far it is."""
    speed = view.csv_bytes / 1e6 / seconds if seconds else 0.0
    return Text(
        f"  {view.rows:>9,} rows  {speed:6.1f} MB/s  queue {view.queued:>2}  "
        f"done {len(view.receipts):>2}/{expected}  dead-lettered {len(view.dead_letters)}"
    )


def blobs(view: View) -> None:
    """One line a blob, in 80 columns."""
    rows = []
    for name, receipt in sorted(view.receipts.items()):
        sizes = (f"{size / 1e6:.1f}" for size in (receipt.csv_bytes, receipt.blob_bytes))
        rows.append([name, f"{receipt.rows:,}", *sizes, f"{receipt.seconds:.2f}"])
    say("", "Blobs, with what their receipts say:")
    table(_HEADINGS, rows, right=_HEADINGS[1:])


def dead_letters(view: View) -> None:
    """Each dead letter: its reason, and below it the message and what is wrong with it."""
    say("", "Dead letters, with their reasons:")
    for letter in view.dead_letters:
        record(letter.reason, {"message": letter.message_id, "error": letter.description})
    say("")


def verdict(console: Console, proof: Proof, problems: list[str]) -> None:
    """The last lines: whether all is well, and what is not."""
    console.print(
        f"{proof.restorable:,} of {proof.windows:,} windows proven restorable: {proof.rows:,} rows; "
        f"{proof.same:,} windows are equal to the source."
    )
    for problem in problems:
        console.print(f"[red]wrong:[/red] {problem}")
    console.print("[red]The demo found something off.[/red]" if problems else "[green]All as it should be.[/green]")
