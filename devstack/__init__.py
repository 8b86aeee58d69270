"""The servers on this machine: PostgreSQL, blob storage, Service Bus. Never deployed, and not in the wheel."""

FACE = ("azurite", "broker", "postgres", "process")
