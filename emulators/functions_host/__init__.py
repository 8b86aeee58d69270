"""A small Azure Functions host for machines without Core Tools: `python -m emulators.functions_host --help`.

Two processes, as in Azure: the host (triggers, locks, settlement) and a worker that runs the function app in
Microsoft's own worker library. Core Tools (`func start`) read the same settings file; they were not tried with it.
"""
