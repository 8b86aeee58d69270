"""What a running process reports: log events, spans, metrics.

`types`, `catalogue` and `secrets` lie at the bottom; `events`, `fields`, `jobs`, `metrics`, `traces` and `waits` are
what others call; `engines` sends spans and metrics, and is imported only if the environment names somewhere to send
them.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = ("catalogue", "events", "fields", "jobs", "metrics", "secrets", "traces", "types", "waits")
