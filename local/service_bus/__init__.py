"""A Service Bus namespace on this machine: queues over AMQP 1.0, in memory, for the real SDK; never deployed."""
