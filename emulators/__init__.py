"""Stand-ins for what cannot run on a laptop: Service Bus, the Functions host, Entra's token endpoint.

Each stands on its own and imports nothing of Tailrace's. `devstack` starts them; tests and the demo run on them.
"""

FACE = ("certificate",)
