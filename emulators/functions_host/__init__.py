"""A small Azure Functions host for machines without Core Tools: `python -m emulators.functions_host --help`.

Two processes, as in Azure: the host (triggers, locks, settlement, outputs) and a worker that runs the function app in
Microsoft's own worker library. README.md says what it covers and what it was compared with.
"""
