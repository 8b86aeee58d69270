"""How many blocks are on their way follows the distance of the storage, within the memory that is meant for them."""

from hypothesis import given
from hypothesis import strategies as st

from worker.blob.buffers import BLOCK_BYTES, IN_FLIGHT_BYTES, MAX_STAGERS, STAGERS
from worker.blob.pace import Distance, blocks_at_once

ROUND_TRIPS = st.floats(0, 60)
SIZES = st.sampled_from([BLOCK_BYTES << doubled for doubled in range(7)])


@given(ROUND_TRIPS, SIZES)
def test_the_memory_is_bounded_at_any_distance(round_trip_s: float, size: int) -> None:
    count = blocks_at_once(round_trip_s, size)
    assert STAGERS <= count <= MAX_STAGERS
    assert count * size <= max(IN_FLIGHT_BYTES, STAGERS * size)


@given(ROUND_TRIPS, ROUND_TRIPS, SIZES)
def test_a_longer_way_never_has_fewer_blocks(one: float, other: float, size: int) -> None:
    near, far = sorted((one, other))
    assert blocks_at_once(near, size) <= blocks_at_once(far, size)


@given(st.floats(0, 0.002))
def test_within_a_region_there_are_no_more_than_ever(round_trip_s: float) -> None:
    assert blocks_at_once(round_trip_s, BLOCK_BYTES) == STAGERS


def test_the_distance_is_the_shortest_of_the_latest_round_trips() -> None:
    distance = Distance()
    assert distance.round_trip_s == 0
    for seconds in (0.05, 0.04, 0.06):
        distance.opened(seconds)
    assert distance.round_trip_s == 0.04


def test_a_distance_that_has_grown_is_noticed() -> None:
    distance = Distance()
    for seconds in (0.001, *[0.05] * 8):
        distance.opened(seconds)
    assert distance.round_trip_s == 0.05
