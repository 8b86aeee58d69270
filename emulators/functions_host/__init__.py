"""A small Azure Functions host for machines without Core Tools: `python -m emulators.functions_host --help`.

Two processes, as in Azure: the host (triggers, locks, settlement) and a worker that runs the function app in
Microsoft's own worker library. With Core Tools, `func start` works on the same settings file instead.
"""
