"""The JSON Schemas for producers in other languages."""

import json
import re
from pathlib import Path

import pytest

from contracts import generate

FOLDER = Path(generate.__file__).parent


def test_the_schemas_are_those_of_the_models() -> None:
    assert {path.name for path in generate.schemas()} == {path.name for path in FOLDER.glob("*.schema.json")}
    assert generate.main(["--check"]) == 0


def test_a_request_takes_no_key_that_the_functions_host_would_lay_over_the_metadata() -> None:
    """The host copies the body's top-level keys over the trigger's metadata of the same name."""
    keys = set(json.loads((FOLDER / "export_request.schema.json").read_text())["properties"])
    metadata = {"messageId", "lockToken", "deliveryCount", "subject", "to", "sessionId", "contentType", "label"}
    assert not {key.lower() for key in keys} & {key.lower() for key in metadata}


@pytest.mark.parametrize("text", ["1 day", "15 minutes", "12 months"])
def test_the_schema_of_jobs_describes_lengths_as_people_write_them(text: str) -> None:
    grid = json.loads((FOLDER / "export_job.schema.json").read_text())["$defs"]["TimeGrid"]["properties"]
    for key in ("every", "delay", "catch_up"):
        assert grid[key]["type"] == "string"
        assert re.search(grid[key]["pattern"], text)
        assert not re.search(grid[key]["pattern"], "P1D")
