"""Forecasts of pysteps and labelled ones: the way there, and back."""

import datetime as dt

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_footprint import labelled

from stormfusion import Ensemble
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid

STERE = (
    "+proj=stere +lat_0=90 +lon_0=25 +lat_ts=60 +x_0=380886.31 +y_0=3395677.92 "
    "+R=6371288 +no_defs"
)
METADATA = {
    "projection": STERE,
    "cartesian_unit": "m",
    "yorigin": "upper",
    "x1": 0.0,
    "x2": 5000.0,
    "y1": 2000.0,
    "y2": 6000.0,
    "xpixelsize": 1000.0,
    "ypixelsize": 1000.0,
    "unit": "mm/h",
    "transform": None,
    "threshold": 0.1,
    "zerovalue": 0.0,
    "accutime": 5.0,
    "institution": "somewhere",
    "zr_a": 223.0,
}
NOON = "2019-06-01T12:00"


def rain(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).gamma(0.4, 4.0, shape)


def test_every_label() -> None:
    values = rain(3, 2, 4, 5)
    found = Ensemble.from_pysteps(values, METADATA, reference_time=NOON)
    forecast = found.values
    assert found.variable == forecast.name == "rain_rate"
    assert forecast.dims == ("member", "lead", "y", "x")
    np.testing.assert_array_equal(forecast, values)
    assert forecast.attrs["units"] == "mm h-1"
    assert forecast.member.values.tolist() == [0, 1, 2]
    assert forecast.y.values.tolist() == [5500, 4500, 3500, 2500]
    assert forecast.x.values.tolist() == [500, 1500, 2500, 3500, 4500]
    noon = np.datetime64(NOON, "ns")
    steps = np.array([5, 10], "timedelta64[m]")
    assert forecast.reference_time == noon
    np.testing.assert_array_equal(forecast.lead, steps)
    np.testing.assert_array_equal(forecast.time, noon + steps)
    assert forecast.attrs["grid_mapping"] == "crs"
    assert forecast.crs.attrs["grid_mapping_name"] == "polar_stereographic"
    grid = Grid(forecast.y.values, forecast.x.values, STERE)
    assert Grid.of(forecast).same_as(grid)
    assert found.dataset.attrs["institution"] == "somewhere"
    assert len(found.footprint("rain_rate >= 1 mm/h").dataset.lead) == 2


def test_three_dimensions_are_one_member() -> None:
    values = rain(2, 4, 5)
    found = Ensemble.from_pysteps(values, METADATA)
    assert found.members == 1
    np.testing.assert_array_equal(found.values[0], values)
    assert "time" not in found.values.coords


def test_the_array_is_copied_and_the_metadata_are_left_alone() -> None:
    values, metadata = rain(2, 3, 4, 5), {**METADATA}
    found = Ensemble.from_pysteps(values, metadata)
    kept = found.values.copy(deep=True)
    values[:] = -1.0
    xr.testing.assert_identical(found.values, kept)
    assert metadata == METADATA
    array, _ = found.to_pysteps()
    array[:] = -1.0
    xr.testing.assert_identical(found.values, kept)


def test_missing_and_impossible_values_are_missing() -> None:
    values = rain(2, 1, 4, 5)
    values[0, 0, 0, :4] = [np.nan, np.inf, -np.inf, -9999.0]
    with pytest.warns(UserWarning, match="1 of 40 values of 'rain_rate' are above"):
        found = Ensemble.from_pysteps(values, METADATA).values
    assert found.isnull().sum() == 4
    assert found.isnull()[0, 0, 0, :4].all()
    decibels = {**METADATA, "transform": "dB", "threshold": -10.0}
    with pytest.warns(UserWarning, match="1 of 40 values of 'rain_rate' are above"):
        found = Ensemble.from_pysteps(values - 1.0, decibels).values
    assert found.isnull().values[0, 0, 0, :4].tolist() == [True, True, False, False]
    masked = np.ma.masked_less(rain(2, 1, 4, 5), 0.5)
    found = Ensemble.from_pysteps(masked, METADATA).values
    np.testing.assert_array_equal(found.isnull(), masked.mask)
    empty = Ensemble.from_pysteps(np.full((2, 1, 4, 5), np.nan), METADATA)
    assert empty.values.isnull().all()


def test_no_echo_is_the_lowest_reflectivity() -> None:
    metadata = {**METADATA, "unit": "dBZ", "transform": "dB"}
    values = np.full((2, 1, 4, 5), -np.inf)
    found = Ensemble.from_pysteps(values, metadata)
    assert found.variable == "reflectivity"
    assert (found.values == -150).all()


def test_the_period_of_rain_is_kept() -> None:
    metadata = {**METADATA, "unit": "mm", "accutime": np.float32(60)}
    found = Ensemble.from_pysteps(rain(2, 3, 4, 5), metadata, interval="5min")
    assert found.variable == "rain"
    assert found.values.attrs["accutime"] == 60.0
    assert found.to_pysteps()[1]["accutime"] == 60.0
    with pytest.raises(ValueError, match="accutime is 'an hour', wanted a time above"):
        Ensemble.from_pysteps(
            rain(2, 3, 4, 5), {**metadata, "accutime": "an hour"}, interval=5
        )


@pytest.mark.parametrize(
    "shape", [(4, 5), (1, 2, 3, 4, 5), (5,), (), (0, 2, 4, 5), (2, 0, 4, 5), (2, 4, 0)]
)
def test_shapes_that_are_no_forecast(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"array has the shape \(.*, wanted \(member,"):
        Ensemble.from_pysteps(np.zeros(shape), METADATA)


@pytest.mark.parametrize("metadata", [None, [METADATA], "mm/h", xr.Dataset()])
def test_what_is_no_dictionary(metadata) -> None:
    if isinstance(metadata, xr.Dataset):  # which is a mapping, of other things
        with pytest.raises(ValueError, match="metadata has no unit, transform, x1,"):
            Ensemble.from_pysteps(rain(2, 3, 4, 5), metadata)
        return
    with pytest.raises(TypeError, match=r"metadata is a \w+, wanted pysteps' dic"):
        Ensemble.from_pysteps(rain(2, 3, 4, 5), metadata)


def test_keys_that_are_missing_are_named() -> None:
    for keys in (["unit"], ["transform", "x1"], ["y1", "x2", "y2", "yorigin"]):
        metadata = {k: v for k, v in METADATA.items() if k not in keys}
        with pytest.raises(ValueError, match="metadata has no ") as caught:
            Ensemble.from_pysteps(rain(2, 3, 4, 5), metadata)
        told = str(caught.value).split(",")[: len(keys)]
        assert {text.split()[-1] for text in told} == set(keys)


@pytest.mark.parametrize("values", [rain(2, 3, 4, 5) * 1j, np.full((2, 3, 4, 5), "0")])
def test_what_is_no_number(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="wanted real numbers; pass what the nowcast"):
        Ensemble.from_pysteps(values, METADATA)


def test_what_comes_back_by_hand() -> None:
    values = rain(2, 3, 4, 5).astype("float32")
    found = Ensemble.from_pysteps(values, METADATA, reference_time=NOON)
    array, metadata = found.to_pysteps()
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, values)
    assert {k: metadata[k] for k in METADATA} == METADATA
    assert metadata["leadtimes"].tolist() == [5, 10, 15]
    first = dt.datetime(2019, 6, 1, 12, 5)
    assert metadata["timestamps"][0] == first
    assert metadata["timestamps"][-1] - first == dt.timedelta(minutes=10)


def test_a_projection_of_another_spelling_is_written_as_pysteps_does() -> None:
    found = Ensemble.from_pysteps(
        rain(2, 3, 4, 5), {**METADATA, "projection": "EPSG:3035"}
    )
    assert "proj4" not in found.dataset.crs.attrs
    text = found.to_pysteps()[1]["projection"]
    assert text.startswith("+proj=laea +lat_0=52 +lon_0=10")


def test_columns_from_the_east_are_turned() -> None:
    members = labelled(rain(2, 3, 4, 5), "rain_rate").isel(x=slice(None, None, -1))
    made = Ensemble(members.to_dataset())
    array, metadata = made.to_pysteps()
    np.testing.assert_array_equal(array, members.values[..., ::-1])
    assert (metadata["x1"], metadata["x2"]) == (-500.0, 4500.0)
    again = Ensemble.from_pysteps(array, metadata).values
    np.testing.assert_array_equal(again, members.sortby("x"))


def test_whole_numbers_become_floats() -> None:
    """pysteps assigns decibels into the array it is given."""
    members = labelled(rain(2, 3, 4, 5), "rain_rate").astype("int16")
    assert Ensemble(members.to_dataset()).to_pysteps()[0].dtype == np.float64


def test_a_selection_comes_back() -> None:
    found = Ensemble.from_pysteps(rain(3, 6, 4, 5), METADATA, reference_time=NOON)
    for leads in ([5], [0, 1, 3], slice(2, None)):
        part = Ensemble(found.dataset.isel(lead=leads, member=[1]))
        again = Ensemble.from_pysteps(*part.to_pysteps())
        xr.testing.assert_identical(again.dataset.lead, part.dataset.lead)
        np.testing.assert_array_equal(again.dataset.time, part.dataset.time)
        assert again.dataset.reference_time == np.datetime64(NOON)


def test_what_pysteps_cannot_hold() -> None:
    with pytest.raises(ValueError, match="pysteps has no unit for vil, wanted rai"):
        Ensemble(labelled(rain(2, 3, 4, 5)).to_dataset()).to_pysteps()
    members = labelled(rain(2, 3, 4, 5), "rain_rate").to_dataset()
    with pytest.raises(ValueError, match="the forecast has no lead times"):
        Ensemble(members.drop_vars(["lead", "time"])).to_pysteps()
    with pytest.raises(GridMismatchError, match="dimension 'y' has no coordinate"):
        Ensemble(members.drop_vars("y")).to_pysteps()


PROJECTIONS = st.sampled_from(
    [
        (None, "m"),
        (STERE, "m"),
        ("+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80", "m"),
        ("+proj=longlat +R=6371229", "degrees"),
        (None, "degrees"),
    ]
)
MEANINGS = st.sampled_from([("mm/h", None), ("mm", None), ("dBZ", "dB")])
SIZES = st.tuples(*(st.integers(*ends) for ends in ((1, 4), (1, 5), (2, 6), (2, 6))))


CASES = st.fixed_dictionaries(
    {
        "shape": SIZES,
        "place": PROJECTIONS,
        "meaning": MEANINGS,
        "yorigin": st.sampled_from(["upper", "lower"]),
        "corner": st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
        "pixel": st.tuples(st.sampled_from([0.25, 1.0]), st.sampled_from([0.125, 0.5])),
        "interval": st.sampled_from([1.0, 2.5, 5.0, 10 / 3]),
        "reference_time": st.none()
        | st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2100, 1, 1)),
        "dtype": st.sampled_from(["float32", "float64"]),
        "seed": st.integers(0, 2**16),
    }
)


@settings(deadline=None)
@given(CASES)
def test_the_way_there_and_back(case: dict) -> None:
    shape, rng = case["shape"], np.random.default_rng(case["seed"])
    values = rng.gamma(0.4, 4.0, shape).astype(case["dtype"])
    values[rng.random(shape) < 0.2] = np.nan
    projection, unit = case["place"]
    scale = 1.0 if unit == "degrees" else 1000.0
    (x1, y1), (dx, dy) = (scale * np.array(case[k]) for k in ("corner", "pixel"))
    metadata = {
        "projection": projection,
        "cartesian_unit": unit,
        "yorigin": case["yorigin"],
        "x1": x1,
        "x2": x1 + shape[3] * dx,
        "xpixelsize": dx,
        "y1": y1,
        "y2": y1 + shape[2] * dy,
        "ypixelsize": dy,
        **dict(zip(("unit", "transform"), case["meaning"], strict=True)),
    }
    if metadata["unit"] == "mm":
        metadata["accutime"] = 60.0
    times = {k: case[k] for k in ("reference_time", "interval")}
    made = Ensemble.from_pysteps(values, metadata, **times)
    array, back = made.to_pysteps()
    np.testing.assert_array_equal(array, values)
    assert array.dtype == values.dtype
    same = metadata.keys() - ({"projection"} if projection is None else set())
    assert {k: back[k] for k in same} == {k: metadata[k] for k in same}
    again = Ensemble.from_pysteps(array, back)
    xr.testing.assert_identical(again.dataset, made.dataset)


@settings(deadline=None)
@given(st.floats(-1e7, 1e7), st.floats(1e-3, 1e5), st.integers(2, 900), st.booleans())
def test_any_coordinates_come_back(first, step, count, falls) -> None:
    y = first + np.arange(count) * step
    y = y[::-1] if falls else y
    members = xr.DataArray(
        np.zeros((1, 1, count, 2), "float32"),
        {"lead": [np.timedelta64(300, "s")], "y": y, "x": [0.0, 1.0]},
        ("member", "lead", "y", "x"),
        "rain_rate",
        {"units": "mm h-1"},
    )
    members.y.attrs["units"] = members.x.attrs["units"] = "m"
    made = Ensemble(members.to_dataset())
    again = Ensemble.from_pysteps(*made.to_pysteps())
    np.testing.assert_allclose(again.values.y, y, rtol=1e-12, atol=1e-6 * step)


@settings(deadline=None)
@given(
    st.lists(st.none() | st.floats(0, 200, width=32), min_size=4, max_size=4),
    st.sampled_from([0.05, 0.1, 1.0]),
)
def test_decibels_come_back_as_the_rain_they_were(amounts, threshold) -> None:
    rates = np.array([np.nan if a is None else a for a in amounts]).reshape(1, 1, 2, 2)
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(rates)
    limit = 10 * np.log10(threshold)
    decibels[rates < threshold] = limit - 5
    metadata = {**METADATA, "transform": "dB", "threshold": limit}
    metadata |= {"x2": 2000.0, "y2": 4000.0}
    if np.nanmin(np.append(decibels, 1.0)) == 0.0:
        return  # decibels with no dry pixel and just 1 mm/h: taken for rates, and told
    found = Ensemble.from_pysteps(decibels, metadata).values
    expected = np.where(rates < threshold, 0.0, rates)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
