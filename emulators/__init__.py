"""Stand-ins for what cannot run on a laptop: Service Bus, the Functions host, Entra's token endpoint.

Each stands on its own and imports nothing of Tailrace's. `devstack` starts them; tests and the demo run on them.
`devstack` takes the certificate of its PostgreSQL from here, too.
"""

FACE = ("certificate",)
