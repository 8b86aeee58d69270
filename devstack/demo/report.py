"""The demo's tables."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from devstack.demo.restored import Proof
from devstack.demo.watch import View


def progress(view: View, expected: int, seconds: float) -> Text:
    """One line: how far it is."""
    speed = view.csv_bytes / 1e6 / seconds if seconds else 0.0
    return Text(
        f"  {view.rows:>9,} rows  {speed:6.1f} MB/s  queue {view.queued:>2}  "
        f"done {len(view.receipts):>2}/{expected}  dead-lettered {len(view.dead_letters)}"
    )


def blobs(view: View) -> Table:
    """One line a blob."""
    table = Table(title="Blobs, with what their receipts say", title_justify="left")
    for name in ("blob", "rows", "CSV bytes", "blob bytes", "seconds"):
        table.add_column(name, justify="left" if name == "blob" else "right", no_wrap=True)
    for name, receipt in sorted(view.receipts.items()):
        seconds = receipt.seconds
        table.add_row(name, f"{receipt.rows:,}", f"{receipt.csv_bytes:,}", f"{receipt.blob_bytes:,}", f"{seconds:.2f}")
    return table


def dead_letters(view: View) -> Table:
    """One line a dead letter."""
    table = Table(title="Dead letters, with reasons", title_justify="left")
    table.add_column("message", no_wrap=True)
    table.add_column("reason", no_wrap=True)
    table.add_column("description", overflow="fold")
    for letter in view.dead_letters:
        table.add_row(letter.message_id, letter.reason, letter.description)
    return table


def verdict(console: Console, proof: Proof, problems: list[str]) -> None:
    """The last lines: whether all is well, and what is not."""
    console.print(
        f"{proof.restorable:,} of {proof.windows:,} windows proven restorable: {proof.rows:,} rows; "
        f"{proof.same:,} windows are equal to the source."
    )
    for problem in problems:
        console.print(f"[red]wrong:[/red] {problem}")
    console.print("[red]The demo found something off.[/red]" if problems else "[green]All as it should be.[/green]")
