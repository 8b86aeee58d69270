"""100,000 windows on the page."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from playwright.sync_api import Browser, expect
from support.scene import plant

from contracts.jobs_file import load_jobs
from producer.ask import one_request
from settings import Settings
from web.server import Server, serving

JOBS = """
[[job]]
name = "ids"
schema = "public"
table = "ids"
blob = "{job}/{window_start}.csv.gz"
[job.window]
column = "id"
type = "integer"
size = 10
"""
# Each frame scrolls by a screen; the result is how many windows were drawn in one at most. How long that takes is
# measured by bench.page: here it would depend on what else the machine does.
_SCROLL = """async (box) => {
    const drawing = CanvasRenderingContext2D.prototype, { roundRect } = drawing;
    let drawn = 0, most = 0;
    drawing.roundRect = function (...spot) { drawn += 1; return roundRect.apply(this, spot); };
    const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    for (let i = 0; i < 60; i += 1) { drawn = 0; box.scrollTop = i * 300; await frame(); most = Math.max(most, drawn); }
    drawing.roundRect = roundRect;
    return { most, height: box.scrollHeight };
}"""


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path, container: ContainerClient) -> Iterator[Server]:
    """The API of a job with 100,000 windows; its first and its last are there."""
    file = tmp_path / "jobs.toml"
    file.write_text(JOBS)
    settings = Settings.from_env({**environ, "TAILRACE_JOBS": str(file)})
    job = load_jobs(file)["ids"]
    for start in ("0", "499990", "999990"):
        plant(container, one_request(job, start, datetime.now(UTC)))
    with serving(settings, "tester") as running:
        yield running


def test_a_hundred_thousand_windows_are_seen_whole_and_only_those_in_view_are_drawn(
    browser: Browser, server: Server
) -> None:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.goto(server.page)
        expect(page.locator(".says")).to_contain_text("3 of 100,000 windows are there.", timeout=60_000)
        heat = page.get_by_role("application", name="ids")
        assert heat.evaluate("(box) => box.scrollHeight") < 400
        near = page.get_by_role("button", name="Zoom ids in")
        while near.is_enabled():
            near.click()
        found = heat.evaluate(_SCROLL)
        assert found["height"] > 10_000
        assert 100 < found["most"] < 5_000
        heat.focus()
        page.keyboard.press("Home")
        expect(page.get_by_role("status").first).to_contain_text("0 to 9: there")
