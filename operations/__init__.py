"""What people do with exports. The command, HTTP and pages call it; it stands on producer and worker.

`windows` finds the blobs of a job's windows; `verify` reads blobs again, `restore` and `restoring` put their rows back
into a table, `drill` proves that it can be done; `dead_letters` reads the dead-letter queue and sends its messages
again; `export_now` exports one window in the foreground; `pauses` stops the exports of a job and lets them go on;
`backfill` and `backfilling` send the requests of a range, `backfills` says what became of them, and cancels;
`survey` looks at the tables of a database, and `first_jobs` writes a jobs.toml for them.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "backfill",
    "backfilling",
    "backfills",
    "blobs",
    "dead_choice",
    "dead_letters",
    "drill",
    "export_now",
    "first_jobs",
    "pauses",
    "restore",
    "restoring",
    "survey",
    "verify",
    "windows",
)
