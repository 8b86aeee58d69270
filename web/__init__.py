"""The HTTP API and its page: what people do with exports, for browsers and other programs.

`functions` serves both in the function app, `server` on this machine. Both call operations and producer, as the command
does.
"""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = ("functions", "server")
