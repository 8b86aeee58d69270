"""How many blocks are on their way follows the distance of the storage, within the memory that is meant for them."""

from hypothesis import given
from hypothesis import strategies as st

from worker.blob.buffers import BLOCK_BYTES, IN_FLIGHT_BYTES, MAX_STAGERS, SLOW_S, STAGERS
from worker.blob.pace import Pace, blocks_at_once

ROUND_TRIPS = st.floats(0, 60)
SIZES = st.sampled_from([BLOCK_BYTES << doubled for doubled in range(7)])
PROVEN = st.integers(0, 100)


@given(ROUND_TRIPS, SIZES, PROVEN)
def test_the_memory_is_bounded_at_any_distance(round_trip_s: float, size: int, proven: int) -> None:
    count = blocks_at_once(round_trip_s, size, proven)
    assert STAGERS <= count <= MAX_STAGERS
    assert count * size <= max(IN_FLIGHT_BYTES, STAGERS * size)


@given(ROUND_TRIPS, ROUND_TRIPS, SIZES, PROVEN)
def test_a_longer_way_never_has_fewer_blocks(one: float, other: float, size: int, proven: int) -> None:
    near, far = sorted((one, other))
    assert blocks_at_once(near, size, proven) <= blocks_at_once(far, size, proven)


@given(st.floats(0, 0.002), PROVEN)
def test_within_a_region_there_are_no_more_than_ever(round_trip_s: float, proven: int) -> None:
    assert blocks_at_once(round_trip_s, BLOCK_BYTES, proven) == STAGERS


def far_pace(*round_trips_s: float, staged: int = 100) -> Pace:
    pace = Pace()
    for seconds in round_trips_s:
        pace.opened(seconds)
    for _ in range(staged):
        pace.staged(0.1)
    return pace


def test_an_unknown_distance_has_as_few_as_a_short_one() -> None:
    assert far_pace().blocks_at_once(BLOCK_BYTES) == STAGERS
    assert far_pace(0.05, 0.0).blocks_at_once(BLOCK_BYTES) == STAGERS


def test_the_shortest_of_the_latest_round_trips_counts() -> None:
    some = far_pace(0.05, 0.02, 0.06).blocks_at_once(BLOCK_BYTES)
    assert some == far_pace(0.02).blocks_at_once(BLOCK_BYTES) < far_pace(0.05).blocks_at_once(BLOCK_BYTES)
    assert far_pace(0.001, *[0.05] * 8).blocks_at_once(BLOCK_BYTES) == far_pace(0.05).blocks_at_once(BLOCK_BYTES)


def test_each_block_that_arrives_lets_one_more_leave() -> None:
    counts = [far_pace(0.05, staged=staged).blocks_at_once(BLOCK_BYTES) for staged in range(4)]
    assert counts == [2 * STAGERS, 2 * STAGERS + 1, 2 * STAGERS + 2, 2 * STAGERS + 3]


def test_the_first_blocks_to_a_far_storage_arrive_in_good_time_on_a_narrow_line() -> None:
    assert far_pace(0.05, staged=0).blocks_at_once(BLOCK_BYTES) * BLOCK_BYTES / 2e6 < 20 / 2


def test_a_slow_block_makes_the_next_ones_as_few_as_at_first() -> None:
    pace = far_pace(0.05)
    assert pace.blocks_at_once(BLOCK_BYTES) > STAGERS
    pace.staged(SLOW_S)
    assert pace.blocks_at_once(BLOCK_BYTES) == STAGERS
