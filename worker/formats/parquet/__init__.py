"""Rows as one Parquet file, by way of binary COPY. Needs the extra `parquet` and the compiled library."""

from importlib.util import find_spec

from contracts.errors import SourceRejected
from worker.native.library import why_not


def require_parquet() -> None:
    """Raises SourceRejected where this worker cannot write Parquet; what else is here can only be imported after it."""
    if find_spec("pyarrow") is None:
        lacks = "needs the package pyarrow, which this worker does not have; install the extra `parquet`"
    elif reason := why_not():
        lacks = f"needs what `make native` compiles, which this worker does not have ({reason}); run it"
    else:
        return
    raise SourceRejected(f'format = "parquet" {lacks} (docs/formats.md), then replay', reason="FormatNotInstalled")
