"""The programs that contenders run."""

import os


def psql() -> str:
    """psql of the embedded server's package, by the path in BENCH_PSQL, since only one venv has it."""
    return os.environ["BENCH_PSQL"]


def find_psql() -> str:
    """The path of psql, for the parent process. Raises FileNotFoundError."""
    from devstack.postgres_programs import installed

    path = installed() / "psql"
    if not path.is_file():
        raise FileNotFoundError(path)
    return str(path)
