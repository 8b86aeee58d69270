"""What the descriptions of row groups take in memory: so much that row groups grow, and no more than that allows."""

import subprocess
import sys

import pytest

from worker.blob.buffers import ENTRY_BYTES, GROUP_BYTES, MAX_GROUP_BYTES, group_bytes

COLUMNS = 20
WRITE = """
import sys
from pathlib import Path
import worker.formats.parquet  # chooses Arrow's memory
import pyarrow as pa
import pyarrow.parquet as pq
from worker.formats.parquet.encodings import _Nowhere

columns = int(sys.argv[2])
table = pa.table({f"column {n}": [n, 7, None] if n % 2 else ["kind", "other", None] for n in range(columns)})
with pq.ParquetWriter(_Nowhere(), table.schema) as writer:
    for _ in range(int(sys.argv[1])):
        writer.write_table(table)
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line))
"""


def peak(groups: int) -> int:
    """The most memory of a process that writes a file of so many row groups, in bytes."""
    argv = [sys.executable, "-c", WRITE, str(groups), str(COLUMNS)]
    return 1024 * int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process had at most")
def test_arrow_holds_of_a_row_group_what_its_size_is_chosen_by() -> None:
    few, many = 200, 1_200
    entry = (peak(many) - peak(few)) / (COLUMNS * (many - few))
    assert 0.8 * ENTRY_BYTES < entry < 1.15 * ENTRY_BYTES


@pytest.mark.parametrize("columns", [3, 60, 300])
def test_descriptions_grow_with_the_root_of_the_data(columns: int) -> None:
    """As long as row groups may grow; from then on they take an eighth of what those of the first size would."""

    def entries(data: int) -> tuple[int, int]:
        groups = done = 0
        while done < data:
            size = group_bytes(groups * columns)
            done, groups = done + size, groups + 1
        return groups * columns, size

    data = 1 << 28
    while entries(data)[1] == GROUP_BYTES:
        data *= 2
    before, _ = entries(data)
    after, size = entries(4 * data)
    assert size < MAX_GROUP_BYTES
    assert after < 2.6 * before
    first, later = entries(100 * data), entries(101 * data)
    assert first[1] == MAX_GROUP_BYTES
    assert later[0] - first[0] <= columns * (data // MAX_GROUP_BYTES + 1)
