import io
import json
import logging
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from telemetry.events import JsonLines, NamesDelivery, event
from telemetry.fields import bind, context


@pytest.fixture(params=["json", "text"])
def log(request: pytest.FixtureRequest) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A new logger with a worker's handler, and its output."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonLines() if request.param == "json" else logging.Formatter("%(message)s"))
    handler.addFilter(NamesDelivery())
    logger = logging.getLogger(f"test.{request.param}")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger, written
    logger.removeHandler(handler)


def fields_of(line: str) -> dict[str, str]:
    """The fields of a line, whichever way it was written, as text."""
    if line.startswith("{"):
        return {key: str(value) for key, value in json.loads(line).items()}
    return dict(pair.split("=") for pair in line.split() if "=" in pair)


def test_lines_of_every_layer_carry_the_fields_of_the_delivery(log: tuple[logging.Logger, io.StringIO]) -> None:
    """Events, records of an SDK that knows nothing of them, and those of a thread that was given the context."""
    logger, written = log
    with context(attempt=2):
        bind(request_id="5b3c1e0e", job="clicks")
        event(logger, logging.INFO, "export started", blob="a")
        logger.warning("retrying in %d s", 3)
        thread = threading.Thread(target=copy_context().run, args=(logger.warning, "lock not renewed"))
        thread.start()
        thread.join()
    lines = written.getvalue().splitlines()
    assert len(lines) == 3
    whose = {"request_id": "5b3c1e0e", "job": "clicks", "attempt": "2"}
    assert all(whose.items() <= fields_of(line).items() for line in lines)
    assert "retrying in 3 s" in lines[1]


QUOTED = "GET https://ann:hunter2@host/c?sv=1&sig=c2VjcmV0 failed, AccountKey=a2V5a2V5; Bearer eyJhbGci.eyJhdWQi.c2lnbg"


def test_no_line_carries_a_secret_that_somebody_quotes(log: tuple[logging.Logger, io.StringIO]) -> None:
    """Whatever is logged: a text, an error, a record of an SDK, or the trace of a fault; in a delivery or not."""
    logger, written = log
    event(logger, logging.INFO, "export failed", error=QUOTED, cause=ValueError(QUOTED))
    for _ in range(2):
        logger.warning("retrying %s", QUOTED)
        logger.error("fault", exc_info=ValueError(QUOTED))
        bind(job="clicks")
    text = written.getvalue()
    assert text.count("ann:…@host") >= 5
    assert not [secret for secret in ("hunter2", "c2VjcmV0", "a2V5a2V5", "c2lnbg") if secret in text]


def test_what_is_logged_after_a_delivery_carries_nothing_of_it(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    with context(attempt=1):
        bind(request_id="5b3c1e0e")
    bind(job="of nobody")
    event(logger, logging.INFO, "worker stopped")
    logger.warning("bye")
    assert not {"request_id", "attempt", "job"} & fields_of(written.getvalue().splitlines()[0]).keys()
    assert "5b3c1e0e" not in written.getvalue()
    assert "job" not in written.getvalue()


def test_a_records_percent_signs_and_exceptions_survive(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, written = log
    with context(attempt=1):
        logger.error("100%% of %s", "it", exc_info=ValueError("a fault"))
    assert "100% of it" in written.getvalue()
    assert "ValueError: a fault" in written.getvalue()
