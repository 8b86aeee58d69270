"""What people do with exports. The command, HTTP and pages call it; it stands on producer and worker.

`dead_letters` reads the dead-letter queue and sends its messages again.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = ("dead_letters",)
