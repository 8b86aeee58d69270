"""No secret of a connection string reaches a log, a retry or a dead letter."""

import pytest
from support.asking import ask
from support.exports import OpenExports

from worker.message.settlement import RetryLater

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
