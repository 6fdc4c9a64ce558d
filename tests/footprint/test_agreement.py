"""How far members displace an event: beside all pairs, and of shifted fields."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_footprint import labelled, streamed

from stormfusion.footprint.agreement import Agreement

nan = np.nan


def shares(events: np.ndarray, scale: int, start: int) -> np.ndarray:
    """Of each square the share with the event; beyond the edge there is none."""
    rows, columns = (start + size for size in events.shape[1:])
    tall, wide = (-(-size // scale) for size in (rows, columns))
    whole = np.zeros((len(events), tall * scale, wide * scale))
    whole[:, start:rows, start:columns] = events
    return whole.reshape(len(events), tall, scale, wide, scale).mean((2, 4))


def pairwise(events: np.ndarray, weights, scale: int) -> float:
    """The score of all pairs, each looked at, in squares half a width apart."""
    apart = most = 0.0
    for start in {0, scale // 2}:
        share = shares(events, scale, start)
        for i, one in enumerate(share):
            for j in range(i):
                weight = weights[i] * weights[j]
                apart += weight * ((one - share[j]) ** 2).sum()
                most += weight * (one**2 + share[j] ** 2).sum()
    return 1 - apart / most if most else nan


def gathered(events: np.ndarray, weights) -> tuple[Agreement, np.ndarray]:
    """Of members (member, y, x), with how many have the event."""
    agreement = Agreement(events.shape[1:])
    for event, weight in zip(events, weights, strict=True):
        agreement.add(event[None], float(weight))
    counts = (events * np.asarray(weights)[:, None, None]).sum(0)[None]
    return agreement, counts


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**16),
    st.integers(2, 6),
    st.tuples(st.integers(1, 13), st.integers(1, 13)),
    st.sampled_from([0.02, 0.2, 0.9]),
    st.booleans(),
)
def test_the_sums_are_those_of_all_pairs(
    seed: int, members: int, shape: tuple[int, int], share: float, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    events = rng.random((members, *shape)) < share
    weights = rng.integers(1, 5, members) * 0.25 if weighted else np.ones(members)
    agreement, counts = gathered(events, weights)
    found = agreement.scores(counts)[0]
    wanted = [pairwise(events, weights, int(scale)) for scale in agreement.scales]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert agreement.scales[-1] >= max(shape)


def cells(rng: np.random.Generator, size: int = 256) -> np.ndarray:
    """Showers of three by three pixels, far from each other."""
    seeds = rng.random((size, size)) < 0.0003
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    return np.any([np.roll(seeds, shift, (0, 1)) for shift in shifts], axis=0)


@pytest.mark.parametrize("distance", [4, 8, 16])
@pytest.mark.parametrize("axis", [0, 1])
def test_members_that_are_shifted_are_as_far_apart(distance: int, axis: int) -> None:
    found = []
    for seed in range(6):
        field = cells(np.random.default_rng(seed))
        events = np.stack([field, np.roll(field, distance, axis)])
        agreement, counts = gathered(events, [1, 1])
        rate = np.array([field.mean()])
        found.append(agreement.distance(counts, rate, 1.0)[0])
    assert np.mean(found) == pytest.approx(distance, rel=0.3)


@pytest.mark.parametrize("distance", [2, 6, 12])
def test_areas_wider_than_they_are_shifted_are_as_far_apart(distance: int) -> None:
    # they overlap at every scale, and their edges tell
    area = np.zeros((256, 256), dtype=bool)
    area[60:140, 60:140] = area[180:220, 20:60] = True
    events = np.stack([area, np.roll(area, distance, 1)])
    agreement, counts = gathered(events, [1, 1])
    found = agreement.distance(counts, np.array([area.mean()]), 1.0)
    assert found == pytest.approx(distance, rel=0.3)
    weighted, counts = gathered(np.concatenate([events, events]), [0.1, 0.2, 0.3, 0.2])
    half = weighted.edges(counts.astype(np.float32))
    pairs = 1 - (0.1**2 + 0.2**2 + 0.3**2 + 0.2**2) / 0.64
    assert half == pytest.approx(distance * 2 * 0.25 / pairs, rel=1e-3)


def test_members_further_apart_are_further_apart() -> None:
    field = cells(np.random.default_rng(0))
    found = []
    for distance in (0, 2, 4, 8, 16, 32):
        events = np.stack([field, np.roll(field, distance, 1)])
        agreement, counts = gathered(events, [1, 1])
        found.append(agreement.distance(counts, np.array([field.mean()]), 1.0)[0])
    assert np.all(np.diff(found) > 0), found


@pytest.mark.parametrize("weights", [[1, 1, 1], [0.1, 0.2, 0.7]])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_members_that_agree_are_half_a_pixel_apart(weights, share: float) -> None:
    field = np.random.default_rng(0).random((37, 50)) < share
    agreement, counts = gathered(np.stack([field] * 3), weights)
    rate = np.array([field.mean()])
    assert agreement.distance(counts.astype(np.float32), rate, 4.0) == [2.0]


def test_without_an_event_there_is_no_distance() -> None:
    nothing = np.zeros((2, 8, 8), dtype=bool)
    agreement, counts = gathered(nothing, [1, 1])
    assert np.isnan(agreement.distance(counts, np.zeros(1), 1.0)).all()
    assert np.isnan(Agreement((8, 8)).scores(np.zeros((1, 8, 8)))).all()
    # one member with all the weight has none to agree with
    alone = np.ones((1, 8, 8), dtype=bool)
    agreement, counts = gathered(alone, [3.0])
    assert np.isnan(agreement.distance(counts, np.ones(1), 1.0)).all()


def test_members_that_never_agree_are_infinitely_far_apart() -> None:
    # one has a pixel, the other all of a large map but for it
    events = np.zeros((2, 64, 64), dtype=bool)
    events[0, 0, 0] = True
    events[1] = ~events[0]
    agreement, counts = gathered(events, [1, 1])
    found = agreement.distance(counts, np.array([0.5]), 1.0)
    assert found == [np.inf]


def test_a_footprint_tells_it_in_kilometres_by_lead() -> None:
    # members shifted by 4 pixels of 1 km at the first lead and 16 at the second
    values = np.zeros((2, 3, 256, 256))
    field = cells(np.random.default_rng(1))
    values[:, 0] = 20 * np.stack([field, np.roll(field, 4, 1)])
    values[:, 1] = 20 * np.stack([field, np.roll(field, 16, 0)])
    made = streamed(labelled(values), ["vil >= 12 kg m-2"]).dataset
    assert made.displacement.dims == ("hazard", "lead")
    assert made.displacement.attrs["units"] == "km"
    near, far, none = made.displacement.values[0]
    assert near == pytest.approx(4, rel=0.4)
    assert far == pytest.approx(16, rel=0.4)
    assert np.isnan(none)
    assert near / 2 < made.window_displacement.item() < far
    half = labelled(values).assign_coords(y=np.arange(256) * 500.0)
    half = half.assign_coords(x=np.arange(256) * 500.0)
    again = streamed(half, ["vil >= 12 kg m-2"]).dataset
    np.testing.assert_allclose(again.displacement, made.displacement / 2, rtol=1e-6)
    bare = streamed(labelled(values).drop_vars(["y", "x"]), ["vil >= 12 kg m-2"])
    assert "displacement" not in bare.dataset
