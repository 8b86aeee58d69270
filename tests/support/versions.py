"""What depends on the version of the server that the tests run on, which `make test-postgres` chooses."""

import pytest

from devstack.postgres_programs import version

MAJOR = int(version().partition(".")[0])
# Of a COPY that loads a CSV back: from 15 on it compares the names of the columns.
HEADER = "header match" if MAJOR >= 15 else "header"


def since(major: int) -> pytest.MarkDecorator:
    """Skips a test of what PostgreSQL has only since a version."""
    return pytest.mark.skipif(major > MAJOR, reason=f"PostgreSQL has it since {major}")
