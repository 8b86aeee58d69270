"""Where the buffers of blocks lie."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.heap import pages

# Buffers come and go; then: does the next one lie outside of the heap?
_SCRIPT = """
import ctypes, sys
from worker.blob.buffers import BLOCK_BYTES
from worker.heap import map_blocks

class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd a b c d e".split()]

mallinfo = ctypes.CDLL(None).mallinfo2
mallinfo.restype = Mallinfo
if sys.argv[1] == "mapped":
    map_blocks()
for _ in range(3):
    bytearray(BLOCK_BYTES)
buffer = bytearray(BLOCK_BYTES)
print(mallinfo().hblkhd >= BLOCK_BYTES)
"""


@pytest.mark.parametrize(("how", "said"), [("mapped", "True"), ("as glibc does", "False")])
def test_a_block_is_never_taken_from_the_heap(how: str, said: str) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", _SCRIPT, how], cwd=root, capture_output=True, text=True, check=False)
    if "mallinfo2" in done.stderr:
        pytest.skip("only glibc has it")
    assert done.stdout.strip() == said, done.stderr


# A mebibyte is filled and freed again and again; how many pages does the kernel hand out for it?
_REPEATED = """
import resource
from worker.heap import map_blocks

map_blocks()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    b"x" * (1 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_memory_that_is_needed_again_at_once_stays_in_the_heap() -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", _REPEATED], cwd=root, capture_output=True, text=True, check=True)
    once = (1 << 20) // 4096
    assert int(done.stdout) < 10 * once


def test_of_a_buffer_only_the_pages_that_are_written_to_take_memory() -> None:
    def resident_kb() -> int:
        status = Path("/proc/self/status")
        if not status.exists():
            pytest.skip("only Linux has it")
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1])

    before = resident_kb()
    buffer = pages(256 << 20)
    buffer[:3] = b"row"
    assert (bytes(buffer[:4]), len(buffer)) == (b"row\0", 256 << 20)
    assert resident_kb() - before < 64 << 10
