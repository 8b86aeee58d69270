"""A Service Bus namespace on this machine: queues over AMQP 1.0, in memory, for the real SDK; never deployed.

Offered: sending, also in batches and at a scheduled time, duplicate detection, peek-lock with renewal and expiry,
receive and delete, abandoning, deferring, dead-lettering with its queue, time to live, peeking.
Not offered, and refused with the reason: topics, sessions, transactions, forwarding. Tokens are taken, not checked.
Messages do not outlive the process.
"""
