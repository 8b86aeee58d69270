"""Carries out one request: COPY out of PostgreSQL, through a codec or Parquet, into one block blob."""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = ("assemble", "container", "functions", "native.build", "native.library", "native.targets")
