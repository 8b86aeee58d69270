"""A Service Bus namespace on this machine: queues over AMQP 1.0, in memory, for Azure's SDKs; never deployed.

`emulator.Emulator` is the face for tests, `python -m emulators.service_bus` for everybody else; README.md says what it
covers. Not offered, and refused with the reason: topics and transactions. Tokens are taken, not checked.
Messages do not outlive the process.
"""
