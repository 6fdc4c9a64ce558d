"""Catalogs of synthetic storms: seeded, of any size, and told what is wrong."""

import numpy as np
import pandas as pd
import pytest

from stormfusion import Catalog
from stormfusion.data.synthetic import PACKINGS

EVERYTHING = slice(None), slice(None), slice(None)
ALL = tuple(PACKINGS)


def stored(catalog, variable="vil", number=0):
    return catalog[number].stored(variable).read(*EVERYTHING)


def test_seeded():
    make = {"events": 2, "size": 48, "frames": 4}
    one, same = Catalog.synthetic(**make, seed=5), Catalog.synthetic(**make, seed=5)
    other = Catalog.synthetic(**make, seed=6)
    for variable in one.variables:
        assert np.array_equal(stored(one, variable), stored(same, variable))
    assert not np.array_equal(stored(one), stored(other))
    assert not np.array_equal(stored(one), stored(one, number=1))
    assert one[0].stored("vil").grid.same_as(same[0].stored("vil").grid)
    assert not set(one.table.index) & set(other.table.index)


def test_more_events_leave_the_first_as_they_are():
    few, many = (Catalog.synthetic(events=n, size=48, frames=3) for n in (2, 5))
    assert np.array_equal(stored(few, number=1), stored(many, number=1))


def test_more_frames_leave_the_first_as_they_are():
    short, long = (Catalog.synthetic(events=1, size=48, frames=n) for n in (3, 9))
    assert np.array_equal(stored(short), stored(long)[:3])


@pytest.mark.parametrize("size", [64, (48, 80), (50, 61)])
def test_sizes(size):
    catalog = Catalog.synthetic(events=1, size=size, frames=3, variables=ALL)
    rows, columns = (size, size) if isinstance(size, int) else size
    for variable in ALL:
        factor = {"ir069": 2, "ir107": 2, "lightning": 8}.get(variable, 1)
        frames = catalog[0].stored(variable)
        shape = (3, -(-rows // factor), -(-columns // factor))
        assert frames.read(*EVERYTHING).shape == shape
        assert frames.grid.shape == shape[1:]
        assert frames.grid.spacing == pytest.approx((1000.0 * factor,) * 2)
        values = catalog[0][variable].values
        assert np.isfinite(values).all()
        part = slice(1, 3), slice(2, 4), slice(0, 3)
        assert np.array_equal(frames.read(*part), frames.read(*EVERYTHING)[part])


def test_variables_interval_and_spacing():
    catalog = Catalog.synthetic(
        events=1,
        size=48,
        frames=4,
        interval="10min",
        spacing=2000.0,
        variables=("reflectivity", "ir107"),
    )
    assert catalog.variables == ("reflectivity", "ir107")
    assert set(np.diff(catalog[0].time)) == {np.timedelta64(10, "m")}
    assert catalog[0].stored("reflectivity").grid.spacing == (2000.0, 2000.0)
    assert Catalog.synthetic(events=1, size=48, variables="vil").variables == ("vil",)


def test_spread_over_the_year():
    time = Catalog.synthetic(events=24, size=48).table["time"]
    assert time.is_monotonic_increasing
    assert time.iloc[0] == pd.Timestamp("2019-01-01")
    assert pd.Timestamp("2019-12-01") < time.iloc[-1] < pd.Timestamp("2020-01-01")


def test_variables_of_one_storm_agree():
    storm = Catalog.synthetic(events=1, size=96, frames=24, variables=ALL, seed=3)[0]
    rain, vil = storm["rain_rate"].values, storm["vil"].values
    assert (rain > 5).any()
    assert vil[rain > 5].mean() > 20 * vil[rain < 0.1].mean()
    data = storm.to_dataset(like="rain_rate")
    warm = data.ir107.values[rain < 0.1].mean()
    assert data.ir107.values[rain > 5].mean() < warm - 5


def test_what_is_read_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        stored(Catalog.synthetic(events=1, size=48, frames=2))[:] = 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"events": 0}, "events is 0, wanted a whole number, 1 or more"),
        ({"events": 2.5}, "events is 2.5"),
        ({"seed": -1}, "seed is -1, wanted a whole number, 0 or more"),
        ({"variables": ()}, r"variables are \(\), wanted some of vil"),
        ({"variables": ("vil", "hail")}, "variables are .*hail"),
        ({"size": 4}, "wanted|got|least"),
        ({"frames": 0}, "wanted|got|least"),
        ({"spacing": 0.0}, "wanted|got|least"),
        ({"spacing": "1 km"}, "spacing is '1 km', wanted a positive number"),
        ({"spacing": None}, "spacing is None, wanted a positive number"),
        ({"variables": 3}, "variables are 3, wanted names"),
        ({"interval": "0min"}, "wanted|got|least"),
        ({"interval": "soon"}, "."),
    ],
)
def test_out_of_range(given, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Catalog.synthetic(**{"events": 1, **given})
