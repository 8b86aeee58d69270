"""A handful of planted faults in each run of the tests; `make chaos PLANTED=1` plants them all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.history import History
from chaos.planted import options_of
from chaos.plants import PLANTS
from chaos.run import Result, run
from chaos.servers import Servers, open_servers

HANDFUL = (
    "the commit has no condition",
    "rows at a block's edge are dropped",
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with open_servers(tmp_path_factory.mktemp("chaos")) as opened:
        yield opened


def ran(servers: Servers, directory: Path, name: str, seed: int, *, planted: bool) -> Result:
    return run(servers, directory, options_of(PLANTS[name], name if planted else None, seed), History())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", HANDFUL)
def test_a_fault_that_is_built_into_the_product_is_found_and_the_product_as_it_is_has_none(
    servers: Servers, tmp_path: Path, name: str
) -> None:
    as_it_is = ran(servers, tmp_path, name, 7, planted=False)
    assert as_it_is.findings == []
    assert [one.error for one in as_it_is.injected if one.error] == []
    found: set[str] = set()
    for seed in (7, 8, 9):
        found |= {finding.kind for finding in ran(servers, tmp_path, name, seed, planted=True).findings}
        if found & PLANTS[name].finds:
            return
    raise AssertionError(f"{name} was not found, only {found or 'nothing'}")


def test_at_least_thirty_faults_can_be_planted() -> None:
    assert len(PLANTS) >= 30
