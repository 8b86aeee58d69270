"""Pure: what an SDK's error about a connection says, in few words."""

import re

# What the system says of a connection: in the middle of a sentence of each library that passed it on.
_SYSTEM = re.compile(r"\[Errno -?\d+\] (?P<why>[A-Z][A-Za-z ,-]+?)(?= Error condition|[^A-Za-z ,-]|$)")
_SERVER = re.compile(r"host='(?P<host>[^']+)', port=(?P<port>\d+)")
# A shared access signature travels in the query of an address, which the SDK's errors quote.
_QUERY = re.compile(r"\?[^\s'\")>]*")


def connection_refused(error: Exception) -> str | None:
    """Why the system made no connection, and to which server if the error names it; None if it is another error.

    >>> connection_refused(OSError("Pool(host='h', port=1): … ([Errno -2] Name or service not known)"))
    'no connection to h:1: Name or service not known'
    >>> connection_refused(OSError("Failed to …: [Errno 111] Connection refused Error condition: amqp:socket-error."))
    'no connection: Connection refused'
    """
    text = str(error)
    if not (found := _SYSTEM.search(text)):
        return None
    server = _SERVER.search(text)
    to = f" to {server['host']}:{server['port']}" if server else ""
    return f"no connection{to}: {found['why']}"


def first_line(error: Exception) -> str:
    """The first line of an error, 300 characters at most, without the queries of addresses."""
    return _QUERY.sub("?…", str(error).strip().partition("\n")[0])[:300]
