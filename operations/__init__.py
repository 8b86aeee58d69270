"""What people do with exports. The command, HTTP and pages call it; it stands on producer and worker.

`dead_letters` reads the dead-letter queue and sends its messages again.
"""
