"""No secret of a connection string reaches a log, a retry or a dead letter."""

import logging
from datetime import timedelta

import pytest
from support.asking import ask
from support.exports import OpenExports

from worker.message.report import failed
from worker.message.settlement import RetryLater
from worker.message.verdict import RetryPolicy, settlement_for

SIGNATURE = "c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"


def test_the_signature_of_a_shared_access_url_stays_secret(
    open_exports: OpenExports, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK quotes the whole address of a request that could not be sent."""
    sas = f"sv=2026-01-01&ss=b&srt=sco&sp=rwdlac&sig={SIGNATURE}"
    exports = open_exports(ExportStorage=f"BlobEndpoint=http://127.0.0.1:9/account;SharedAccessSignature={sas}")
    settled = exports.handle(ask())
    assert isinstance(settled, RetryLater)
    assert settled.reason == "SinkUnavailable"
    assert "127.0.0.1" in settled.description
    for text in (settled.description, caplog.text):
        assert SIGNATURE not in text
        assert "sig=" not in text


def test_a_fault_that_quotes_a_secret_is_reported_without_it(caplog: pytest.LogCaptureFixture) -> None:
    """An untranslated exception of a library: its text, and those of its causes."""
    quoted = f"PUT https://account/container/blob?sv=2026&sig={SIGNATURE}"
    error = RuntimeError(quoted)
    error.__cause__ = ValueError(quoted)
    settled = settlement_for(error, 1, RetryPolicy(max_attempts=3, base=timedelta(seconds=1)))
    with caplog.at_level(logging.WARNING):
        failed(error, "message", "job", settled)
    assert isinstance(settled, RetryLater)
    assert "ValueError: PUT https://account" in caplog.text
    for text in (settled.description, caplog.text):
        assert SIGNATURE not in text
