"""Rows as one Parquet file, read by binary COPY. Needs the extra `parquet` and the compiled library."""

import os
import sys
from importlib.util import find_spec

from contracts.errors import SourceRejected
from worker.native.library import why_not
from worker.native.targets import this_machine

# Read when pyarrow is imported, for all of Arrow: `pa.set_memory_pool` leaves Parquet's writer on a pool of Arrow's
# own, which holds some 30 MB more, is no faster here, and never gives a large row's memory back to the system.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
# Amazon's client, 5 MB that pyarrow.parquet loads, and does without if it cannot be imported.
sys.modules.setdefault("pyarrow._s3fs", None)  # type: ignore[arg-type]  # Python's documented way to refuse an import


def require_parquet() -> None:
    """Raises SourceRejected if this worker cannot write Parquet. The other modules import what it looks for."""
    if find_spec("pyarrow") is None:
        lacks, advice = "the package pyarrow", "install the extra `parquet` (docs/reference/formats.md), then replay"
    elif reason := why_not():
        lacks = f"the compiled library ({reason})"
        advice = f"run python -m worker.native.build {this_machine()} (docs/reference/formats.md), deploy, then replay"
    else:
        return
    says = f'format = "parquet" needs {lacks}, which this worker does not have'
    raise SourceRejected(says, advice=advice, reason="FormatNotInstalled")
