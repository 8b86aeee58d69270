"""What people do with exports. The command, HTTP and pages call it; it uses producer and worker.

`looking` sees container, queue and server; `coverage` says by that which state each window is in, and `summary` counts.
`finding` finds one window, and `advice` says what to do about it. `running` shows the exports that read now. `windows`
finds the blobs of a job's windows; `verify` reads blobs again, `restore` and `restoring` put their rows back into a
table, `drill` proves that it can be done; `dead_letters` reads the dead-letter queue and sends its messages again.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "advice",
    "blobs",
    "coverage",
    "dead_choice",
    "dead_letters",
    "drill",
    "finding",
    "looking",
    "restore",
    "restoring",
    "running",
    "summary",
    "verify",
    "windows",
)
