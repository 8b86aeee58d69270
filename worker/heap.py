"""Memory of large buffers: mappings that cost what is written to them, and glibc's heap, which they stay out of."""

import ctypes
from contextlib import suppress
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from worker.blob.buffers import BLOCK_BYTES

# Of malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def map_blocks() -> None:
    """Makes buffers of a block's size mappings of their own, which go back to the system as soon as they are freed.

    By itself glibc takes only the first of them for such: once one is freed, the next come from the heap of the thread
    that asks. There they lie between small objects that live on, and a worker grew by 30 MB in some hundred exports.

    A heap's end of the same size stays. Setting the first size fixes the other one at 128 KiB, so that Arrow's writer
    gave memory back and asked for it again with each column: a third of the page faults of an export to Parquet.
    """
    # Only glibc has it, and only glibc needs it.
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, BLOCK_BYTES // 2)
        mallopt(_M_TRIM_THRESHOLD, BLOCK_BYTES // 2)


def pages(size: int) -> mmap:
    """A buffer of zeros, of which only the pages that are written to take memory and time.

    A bytearray of a block's size takes 2.5 ms: a seventh of the CPU time of a small export, which fills little of it.
    """
    return mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)
