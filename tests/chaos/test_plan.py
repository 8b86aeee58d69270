"""The same seed gives the same requests and the same faults in the same order."""

import pytest
from chaos.faults import KINDS
from chaos.load import KINDS as LOADS
from chaos.load import asks
from chaos.plan import Weighted, plan

WEIGHTED = {name: Weighted(kind.weight, kind.seconds) for name, kind in KINDS.items()}


@pytest.mark.parametrize("seed", [1, 7, 2**40])
def test_a_seed_gives_the_same_plan_each_time_and_another_seed_another_one(seed: int) -> None:
    first = plan(seed, 150, 60, 3, WEIGHTED)
    assert first == plan(seed, 150, 60, 3, WEIGHTED)
    assert asks(seed, 100) == asks(seed, 100)
    assert first != plan(seed + 1, 150, 60, 3, WEIGHTED)
    assert asks(seed, 100) != asks(seed + 1, 100)


def test_a_long_run_has_every_kind_of_fault_and_of_request() -> None:
    faults = plan(7, len(KINDS), 60, 3, WEIGHTED)
    assert {one.kind for one in faults} == set(KINDS)
    assert [one.at for one in faults] == sorted(one.at for one in faults)
    assert {ask.kind for ask in asks(7, 40)} == set(LOADS)
