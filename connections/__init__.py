"""How this process reaches Azure and PostgreSQL: one credential, one client each, errors translated once at the edge.

SDKs are imported when the first client is made, so that a function which never uses one never pays for it.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = (
    "credential",
    "postgres.connector",
    "postgres.roots",
    "postgres.server_errors",
    "postgres.session_name",
    "postgres.tokens",
    "records",
    "round_trip",
    "service_bus",
    "steering",
    "storage",
)
