"""Planted: faults of the receipt."""

from collections.abc import Callable

from chaos.plants.plant import WRONG, plant


def _receipts(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    from contracts.receipt import Receipt

    to_metadata = Receipt.to_metadata
    Receipt.to_metadata = lambda self: change(to_metadata(self))  # type: ignore[method-assign]


@plant("receipts are copied from another export", *WRONG, "in limbo")
def _copied() -> None:
    first: list[dict[str, str]] = []

    def copied(metadata: dict[str, str]) -> dict[str, str]:
        first.append(metadata)
        return first[0]

    _receipts(copied)


@plant("blobs have no receipt", *WRONG)
def _no_receipt() -> None:
    _receipts(lambda _: {})


@plant("the receipt counts one row too many", *WRONG)
def _rows_miscounted() -> None:
    _receipts(lambda metadata: {**metadata, "rows": str(int(metadata["rows"]) + 1)})


@plant("the receipt has the hash of other rows", *WRONG)
def _hash_of_others() -> None:
    _receipts(lambda metadata: {**metadata, "row_hash": "0123456789abcdef"})
