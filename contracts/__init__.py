"""What producers and workers agree on: jobs, requests, windows, receipts, settlements, errors.

Pure: the standard library, pydantic and croniter; nothing of ours outside this package, no I/O
but reading jobs.toml.
"""
