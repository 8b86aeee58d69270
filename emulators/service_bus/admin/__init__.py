"""The admin port: Azure's Atom API for queues, a health endpoint, and controls of the emulator's own as JSON.

`server` listens, `routes` turns requests into answers, `atom` and `controls` speak the two languages.
"""
