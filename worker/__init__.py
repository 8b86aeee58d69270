"""Carries out one request: COPY out of PostgreSQL, through a codec or Parquet, into one block blob."""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "assemble",
    "cancellation",
    "container",
    "existing",
    "export",
    "formats.prefetch",
    "functions",
    "message.report",
    "native.build",
    "native.csv_rows",
    "native.library",
    "native.targets",
    "progress",
    "reread",
    "source.closing",
    "source.copy_out",
    "source.counts",
    "source.pool",
    "source.snapshot",
    "source.statement",
)
