"""The demo's tables."""

from rich import box
from rich.console import Console, Group
from rich.padding import Padding
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
    """One line a blob, in 80 columns."""
    table = Table(
        title="Blobs, with what their receipts say", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for name in ("blob", "rows", "CSV MB", "blob MB", "seconds"):
        table.add_column(name, justify="left" if name == "blob" else "right", no_wrap=True)
    for name, receipt in sorted(view.receipts.items()):
        sizes = (f"{size / 1e6:.1f}" for size in (receipt.csv_bytes, receipt.blob_bytes))
        table.add_row(name, f"{receipt.rows:,}", *sizes, f"{receipt.seconds:.2f}")
    return table


def dead_letters(view: View) -> Group:
    """Each dead letter: its reason and message, and below them its description."""
    title = Text("Dead letters, with reasons", style="italic")
    letters = (
        Group(
            Text(f"  {letter.reason}", style="bold").append(f"  {letter.message_id}", style="not bold"),
            Padding(Text(letter.description), (0, 0, 0, 4)),
        )
        for letter in view.dead_letters
    )
    return Group(title, *letters)


def verdict(console: Console, proof: Proof, problems: list[str]) -> None:
    """The last lines: whether all is well, and what is not."""
    console.print(
        f"{proof.restorable:,} of {proof.windows:,} windows proven restorable: {proof.rows:,} rows; "
        f"{proof.same:,} windows are equal to the source."
    )
    for problem in problems:
        console.print(f"[red]wrong:[/red] {problem}")
    console.print("[red]The demo found something off.[/red]" if problems else "[green]All as it should be.[/green]")
