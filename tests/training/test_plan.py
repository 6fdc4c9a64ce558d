import pytest

from stormfusion.training.plan import Plan, rate, time_share


def test_the_rate_rises_and_falls() -> None:
    rates = [rate(done / 1000, 0.05) for done in range(1001)]
    highest = rates.index(max(rates))
    assert highest == 50
    assert rates[highest] == 1
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.01)
    assert rate(7.0, 0.05) == pytest.approx(0.01)  # the time ran over


def test_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 130.0)
    assert time_share(Plan(), 100.0) == 0
    assert time_share(Plan(time_limit=60), 100.0) == pytest.approx(0.5)
    assert time_share(Plan(time_limit=60), 100.0, 30.0) == pytest.approx(1)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3"])
def test_counts_are_whole_numbers(name: str, value) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}, wanted a whole number"):
        Plan(**{name: value})


@pytest.mark.parametrize("name", ["time_limit", "learning_rate"])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
def test_rates_and_times_are_above_zero(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is .*, wanted a number above zero"):
        Plan(**{name: value})
