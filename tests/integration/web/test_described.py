"""Calls that a generator makes up from the API's own description: none ends in a fault, every answer is described."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from settings import Settings
from web.api.guard import Limits, Rate
from web.server import serving

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.timeout(240)
def test_no_call_that_the_description_allows_ends_in_a_fault_or_in_an_answer_that_it_does_not_describe(
    settings: Settings, container: ContainerClient, tmp_path: Path
) -> None:
    assert container.exists()
    limits = Limits(Rate(per_second=1e6, burst=1e6), Rate(per_second=1e6, burst=1e6))
    with serving(settings, "tester", limits) as server:
        command = [
            Path(sys.executable).with_name("schemathesis"), "run", f"{server.address}/api/openapi.json",
            "--header", f"x-functions-key: {server.key}", "--checks", _CHECKS, "--max-examples", "6",
            "--phases", "examples,coverage,fuzzing", "--seed", "1", "--generation-database", "none", "--no-color",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=220, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    made = re.search(r"(\d+) generated", done.stdout)
    assert made
    assert int(made[1]) > 100
