"""The processes of the demo: one Functions host with the timer, and two workers, one of each kind."""

import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from devstack.process import Launch, Process, start

_ROOT = Path(__file__).parents[2]
_HOST_READY = re.compile(r"Functions host listening on (http://\S+)")


@contextmanager
def running_hosts(environ: dict[str, str], directory: Path) -> Iterator[str]:
    """Starts them side by side and gives the address of the Functions host that has the timer."""
    settings = directory / "local.settings.json"
    settings.write_text(json.dumps({"IsEncrypted": False, "Values": environ}))
    settings.chmod(0o600)
    with ExitStack() as hosts:
        timer = hosts.enter_context(_functions_host("schedule_exports", settings, directory))
        hosts.enter_context(_functions_host("export", settings, directory))
        hosts.enter_context(_container_worker(environ, directory))
        assert timer.match is not None
        yield timer.match[1]


def fire_timer(host: str) -> None:
    """Fires the timer function now, as its schedule would."""
    request = urllib.request.Request(  # noqa: S310  # the host of ours, on loopback
        f"{host}/admin/functions/schedule_exports", data=b'{"input": ""}', headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


def _functions_host(only: str, settings: Path, directory: Path) -> Process:
    argv = [sys.executable, "-m", "emulators.functions_host", "--app", str(_ROOT), "--settings", str(settings)]
    return start(
        [*argv, "--port", "0", "--only", only], ready=_HOST_READY, launch=Launch(directory / f"{only}.log"), cwd=_ROOT
    )


def _container_worker(environ: dict[str, str], directory: Path) -> Process:
    return start(
        [str(Path(sys.executable).with_name("tailrace")), "work"],
        ready=re.compile("worker ready"),
        env=environ,
        launch=Launch(directory / "work.log"),
        cwd=_ROOT,
    )
