"""`python -m bench.page`: the page's weight, its time to first paint and to the first map, frames; the app's import.

Needs the browser of the tests, which npm installs; without it only the weight and the import are measured.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from azure.storage.blob import BlobServiceClient
from playwright.sync_api import Browser
from support.chromium import browsing, chromium, why_not  # type: ignore[import-not-found]
from support.scene import plant  # type: ignore[import-not-found]

from bench.others import cold_start_run
from bench.servers import Database
from contracts.jobs_file import load_jobs
from devstack.stack import CONTAINER, Stack
from producer.ask import one_request
from settings import Settings
from web.page import page
from web.server import Server, serving

_ROUNDS = 5
_JOB = """
[[job]]
name = "{name}"
schema = "public"
table = "clicks"
blob = "{name}/{{window_start:{form}}}.csv.gz"
window = {{ column = "at", type = "timestamptz", every = "1 {unit}", catch_up = "{days} days" }}
"""
_DAYS = _JOB.format(name="days", form="%Y/%m/%d", unit="day", days=365)
_HOURS = _JOB.format(name="hours", form="%Y/%m/%d/%H", unit="hour", days=2000)
_IDS = """
[[job]]
name = "ids"
schema = "public"
table = "ids"
blob = "ids/{window_start}.csv.gz"
window = { column = "id", type = "integer", size = 10 }
"""
_TIMES = """() => new Promise((done) => {
    const painted = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
    const wait = () => painted() && document.querySelector('.chip')
        ? requestAnimationFrame(() => done({ painted: painted(), map: performance.now() }))
        : requestAnimationFrame(wait);
    wait();
})"""
# Scrolls through the whole map in 120 frames; milliseconds from one frame to the next.
_FRAMES = """async (box) => {
    const found = [];
    let last = performance.now();
    for (let i = 0; i < 120; i += 1) {
        box.scrollTop = (box.scrollHeight - box.clientHeight) * i / 120;
        await new Promise(requestAnimationFrame);
        found.push(performance.now() - last);
        last = performance.now();
    }
    return found.slice(1).sort((a, b) => a - b);
}"""


def main() -> None:
    say(weight())
    with Database.started(over_socket=False) as database:
        say(f"function_app: {imported(database)}; 0.6 at most is wanted")
    try:
        program = chromium()
    except (OSError, subprocess.SubprocessError) as error:
        say(f"skipped: the page in a browser: {why_not(error)}")
        return
    with browsing(program) as browser:
        for name, jobs in (("365 days", _DAYS), ("48,000 hours", _HOURS), ("100,000 ranges of ids", _IDS)):
            with served(jobs) as server:
                say(f"the page, {name}: {opened(browser, server)}")


def weight() -> str:
    """
    >>> weight().startswith("the page: ")
    True
    """
    whole = page()
    return f"the page: one document of {len(whole.html) / 1000:.0f} kB, {len(whole.packed) / 1000:.0f} kB as it travels"


def imported(database: Database) -> str:
    """How long the app's import takes, in a new process each time."""
    runs = [cold_start_run(database) for _ in range(_ROUNDS)]
    walls, cpus = [run["wall_s"] for run in runs], [run["cpu_s"] for run in runs]
    return f"imported and indexed in {median(walls):.2f} s ({between(walls)}), {median(cpus):.2f} s of a processor"


@contextmanager
def served(jobs: str) -> Iterator[Server]:
    """The page over real servers. Windows of ids are those from the first blob to the last."""
    with TemporaryDirectory(prefix="tailrace-bench-") as folder, Stack.start(Path(folder)) as stack:
        file = Path(folder, "jobs.toml")
        file.write_text(jobs)
        with BlobServiceClient.from_connection_string(stack.azurite.connection_string) as service:
            container = service.get_container_client(CONTAINER)
            for job in load_jobs(file).values():
                for start in ("0", "999990") if job.name == "ids" else ():
                    plant(container, one_request(job, start, datetime.now(UTC)))
        with serving(Settings.from_env({**stack.environ(), "TAILRACE_JOBS": str(file)}), "bench") as server:
            yield server


def opened(browser: Browser, server: Server) -> str:
    """Opens the page some times; the first time includes a look at the servers, which the others share."""
    found = [times(browser, server) for _ in range(_ROUNDS)]
    painted, maps = [one["painted"] / 1000 for one in found], [one["map"] / 1000 for one in found]
    frames = [frame for one in found for frame in one["frames"]]
    return (
        f"first paint {median(painted):.2f} s ({between(painted)}), first map {median(maps[1:]):.2f} s"
        f" ({maps[0]:.2f} with the first look); frames {median(frames):.0f} ms, {max(frames):.0f} at most"
    )


def times(browser: Browser, server: Server) -> dict[str, Any]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        tab = context.new_page()
        tab.goto(server.page, wait_until="commit")
        found: dict[str, Any] = tab.evaluate(_TIMES)
        near = tab.get_by_role("button", name=re.compile("^Zoom .* in$"))
        while near.is_enabled():
            near.click()
        return found | {"frames": tab.locator(".heat").evaluate(_FRAMES)}


def between(values: list[float]) -> str:
    """
    >>> between([2.0, 1.0])
    '1.00 to 2.00'
    """
    return f"{min(values):.2f} to {max(values):.2f}"


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
