"""The hash of rows, in any order: the sum of the rows' XXH3-64, modulo 2**64. docs: receipts."""

from collections.abc import Iterable


def combined(hashes: Iterable[int | None]) -> int | None:
    """The hash of all rows, of the hashes of some each; None if one of them is unknown.

    >>> combined([2**64 - 1, 2**64 - 1]) == 2**64 - 2
    True
    >>> combined([1, None]) is None
    True
    """
    total = 0
    for one in hashes:
        if one is None:
            return None
        total = (total + one) % 2**64
    return total


def written(row_hash: int | None) -> str | None:
    """As receipts hold it: 16 hex digits.

    >>> written(255)
    '00000000000000ff'
    """
    return None if row_hash is None else f"{row_hash:016x}"
