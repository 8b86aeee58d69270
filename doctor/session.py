"""Edge: one session at the server, as the workers log in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from settings import Settings
from worker.connection import Connector
from worker.entra import password_source
from worker.source_errors import Trouble, translated


@contextmanager
def session(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit whose statements end after ten seconds.

    Raises IdentityUnavailable, SourceUnavailable or SourceRejected for whatever goes wrong in the block.
    """
    connector = Connector(settings, password_source(settings))
    try:
        with psycopg.connect(**connector.parameters(), autocommit=True) as connection:
            connection.execute("SET statement_timeout = '10s'; SET lock_timeout = '2s'")
            yield connection
    except psycopg.Error as error:
        raise translated(Trouble.of(error), connector.target) from error
