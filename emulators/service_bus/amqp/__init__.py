"""AMQP 1.0 without I/O: bytes in, events and bytes out, for either end of a connection; pure Python.

`connection.Connection` is the face. `encode` and `decode` hold the types, `performatives`, `states` and `terminus` the
described lists, `frames` and `handshake` what goes before them. Refused: transactions. Left out: resuming links.
"""
