"""What crosses a process boundary: jobs, windows, requests, receipts, message envelopes, errors.

Pure: the standard library, pydantic and croniter; nothing of ours outside this package, no I/O but reading jobs.toml.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "audit",
    "blob_name",
    "errors",
    "grid",
    "job",
    "jobs_file",
    "manifest",
    "message",
    "model",
    "ncrontab",
    "output",
    "reasons",
    "receipt",
    "request",
    "row_hash",
    "steering",
    "window",
)
