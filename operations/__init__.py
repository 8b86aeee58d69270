"""What people do with exports. The command, HTTP and pages call it; it uses producer and worker.

`looking` sees container, queue and server; `coverage` says by that which state each window is in, and `summary` counts.
`proofs` shows what audits and drills have proven.
`running` shows the exports that read now. `windows` finds the blobs of a job's windows; `verify` reads blobs again,
`restore` and `restoring` put their rows back into a table, `drilling` proves that it can be done; `auditing` compares
exports with their source, and `manifests` lists what was exported; `dead_letters` reads the dead-letter queue and sends
its messages again; `export_now` exports one window in the foreground; `pauses` stops the exports of a job and lets them
go on, and `resuming` brings back what was put off; `backfill` and `backfilling` send the requests of a range, and
`backfills` lists and cancels them; `survey` looks at the tables of a database, and `first_jobs` writes a jobs.toml.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "advice",
    "audit",
    "auditing",
    "backfill",
    "backfilling",
    "backfills",
    "blobs",
    "chain",
    "coverage",
    "dead_choice",
    "dead_letters",
    "drill",
    "drilling",
    "export_now",
    "finding",
    "first_jobs",
    "functions",
    "looking",
    "manifests",
    "pauses",
    "proofs",
    "restore",
    "restoring",
    "resuming",
    "running",
    "summary",
    "target",
    "survey",
    "verify",
    "verifying",
    "windows",
)
