"""Schedules of what a recurrent network is shown."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stormfusion.training import Approach, Ramp, ScheduledSampling

SHARE = st.floats(0.0, 1.0)


def shown(sampling: ScheduledSampling, done: float, batch: int = 4000) -> torch.Tensor:
    lots = torch.Generator().manual_seed(0)
    return sampling.shown(done, batch=batch, history=4, leads=3, generator=lots)


def test_by_default_truth_gives_way_to_the_networks_own_forecasts() -> None:
    for done in (0.0, 0.25, 1.0):
        share = shown(ScheduledSampling(), done).float().mean(0)
        assert (share[:4] == 1).all()
        assert share[4:].tolist() == pytest.approx([1 - done] * 2, abs=0.03)


def test_reverse_schedules_are_those_of_predrnn_v2() -> None:
    reverse = ScheduledSampling.reverse()
    e = 2.718281828459045
    # by hand: thirds of the training, and a scale of a fifth of a third
    for done, observed, forecast in (
        (0.0, 0.5, 0.5),
        (0.33, 0.5, 0.5),
        (1 / 3 + 1 / 15, 1 - 0.5 / e, 0.5 * (1 - 0.2)),
        (0.5, 1 - 0.5 * e**-2.5, 0.25),
        (2 / 3 + 1e-9, 1.0, 0.0),
        (1.0, 1.0, 0.0),
    ):
        assert reverse.observed(done) == pytest.approx(observed)
        assert reverse.forecast(done) == pytest.approx(forecast)
    share = shown(reverse, 0.5).float().mean(0).tolist()
    assert share[0] == 1.0
    assert share[1:4] == pytest.approx([1 - 0.5 * e**-2.5] * 3, abs=0.03)
    assert share[4:] == pytest.approx([0.25] * 2, abs=0.03)


@given(SHARE, SHARE, SHARE, SHARE, SHARE)
def test_ramps_stay_between_their_ends(
    start: float, stop: float, one: float, other: float, done: float
) -> None:
    ramp = Ramp(start, stop, begin=min(one, other), end=max(one, other))
    low, high = min(start, stop), max(start, stop)
    assert low - 1e-12 <= ramp(done) <= high + 1e-12
    assert ramp(1.0) == stop


@pytest.mark.parametrize("name", ["forecast", "observed"])
def test_a_schedule_that_leaves_0_to_1_is_refused(name: str) -> None:
    for wrong in (lambda done: 1.0 + done, lambda done: 0.5 - done, lambda _: 1.5):
        with pytest.raises(ValueError, match=rf"schedule '{name}' .* clip it"):
            ScheduledSampling(**{name: wrong})
    with pytest.raises(ValueError, match="wanted a probability"):
        ScheduledSampling(**{name: lambda _: float("nan")})
    with pytest.raises(TypeError, match=r"such as Ramp"):
        ScheduledSampling(**{name: 0.5})


def test_a_schedule_that_leaves_later_is_refused_when_it_does() -> None:
    calls = []

    def tricky(done: float) -> float:
        calls.append(done)
        return 0.5 if len(calls) <= 101 else 2.0

    sampling = ScheduledSampling(forecast=tricky)
    with pytest.raises(ValueError, match="'forecast' is 2"):
        shown(sampling, 0.5)


def test_ramps_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"start of a ramp is 1.5, wanted 0 to 1"):
        Ramp(1.5, 0.0)
    with pytest.raises(ValueError, match="exchange them"):
        Ramp(1.0, 0.0, begin=0.6, end=0.4)
    with pytest.raises(ValueError, match="begin of an approach is -1"):
        Approach(0.5, begin=-1, end=1.0, scale=0.1)
    with pytest.raises(ValueError, match="a scale above 0"):
        Approach(0.5, begin=0.1, end=1.0, scale=0.0)
    assert Ramp(1.0, 0.0, begin=0.5, end=0.5)(0.5) == 0.0


def test_draws_repeat() -> None:
    reverse = ScheduledSampling.reverse()
    assert torch.equal(shown(reverse, 0.2, batch=5), shown(reverse, 0.2, batch=5))


def test_a_schedule_is_told_by_its_values() -> None:
    mine = ScheduledSampling(forecast=lambda done: 1 - done)
    assert mine.told() == ScheduledSampling().told()
    assert mine.told() != ScheduledSampling.reverse().told()
    assert json.loads(json.dumps(mine.told())) == mine.told()


@pytest.mark.parametrize(
    ("schedule", "error", "said"),
    [
        (lambda: 1, TypeError, "wanted a function of one number"),
        (lambda a, b: 1, TypeError, "wanted a function of one number"),
        (lambda done: None, ValueError, "None when a share of 0"),
        (lambda done: "1", ValueError, "'1' when a share of 0"),
    ],
)
def test_a_schedule_is_a_function_to_a_number(schedule, error, said):
    with pytest.raises(error, match=rf"the schedule 'observed' .*{said}"):
        ScheduledSampling(observed=schedule)


def test_whatever_gives_a_number_is_a_schedule():
    sampling = ScheduledSampling(np.sqrt, lambda done: done < 0.5)
    assert sampling.probability("forecast", 0.25) == 0.5
    assert sampling.probability("observed", 0.25) == 1.0
    tensor = ScheduledSampling(torch.tensor)
    assert tensor.probability("forecast", 0.25) == 0.25


def test_a_text_is_no_probability():
    with pytest.raises(ValueError, match="start of a ramp is '1', wanted 0 to 1"):
        Ramp("1", 0.0)
    with pytest.raises(ValueError, match="scale of an approach is None, wanted 0 to 1"):
        Approach(0.5, 0.0, 1.0, None)
