"""Works out which exports are due and puts one request for each on the queue."""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "ask",
    "asking",
    "enqueue",
    "encoded",
    "facts",
    "functions",
    "identity",
    "prefixes",
    "queue",
    "queue_view",
    "schedule",
    "store",
    "tick",
    "submit",
    "windows",
)
