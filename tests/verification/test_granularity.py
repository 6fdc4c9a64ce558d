import os
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter, uniform_filter, uniform_filter1d
from scipy.special import ndtr

from stormfusion.data.storms import StormWorld
from stormfusion.verification import (
    granularity,
    granularity_score,
    granularity_sums,
    merge,
)

DATA = Path(
    os.environ.get(
        "STORMFUSION_DATA", Path(__file__).parents[2].parent / "shared" / "data"
    )
)
FEW = settings(max_examples=25, deadline=None)
SLOPE = 6 / np.pi**0.5
"""Granularity of a sharp edge under a Gaussian of standard deviation 1."""

MAPS = hnp.arrays(
    np.float64,
    st.tuples(st.just(3), st.integers(2, 7), st.integers(2, 7)),
    elements=st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0, 1.0, np.nan]),
)


def field(values, **attrs):
    values = np.asarray(values)
    dims = ("member", "lead", "y", "x")[-values.ndim :]
    return xr.DataArray(values, dims=dims, attrs=attrs)


def ensemble(values, **attrs):
    return xr.DataArray(np.asarray(values), dims=("member", "y", "x"), attrs=attrs)


def on_grid(values, dy=1000.0, dx=1000.0):
    array = field(values)
    y, x = (np.arange(array.sizes[d]) * s for d, s in (("y", dy), ("x", dx)))
    return array.assign_coords(y=y, x=x)


def width(values, dy=1.0, dx=1.0):
    return granularity(on_grid(values, dy * 1000, dx * 1000)).item()


def disc(size=160, radius=40.0, at=None):
    y, x = np.mgrid[:size, :size]
    center = (size - 1) / 2 if at is None else at
    return (np.hypot(y - center, x - center) < radius) * 1.0


def half_plane(size=120, angle=0.4):
    y, x = np.mgrid[:size, :size] - size / 2
    return (np.sin(angle) * y + np.cos(angle) * x > 0.3) * 1.0


def storms(seed=0, size=128):
    return StormWorld(seed=seed, shape=(size, size), frames=7).rain_rate()


# -------------------------------------------------------------------- definition


def test_a_ramp_by_hand():
    # over 4 km from 0 to 1: 6 * 4 * (1/2 - 1/3) = 4 per km of edge
    ramp = np.tile(np.clip((np.arange(12) - 4) / 4, 0, 1), (3, 1))
    sums = granularity_sums(on_grid(ramp))
    assert sums.contour_length.item() == pytest.approx(2)
    assert sums.uncertain_area.item() == pytest.approx(2 * 4 / 6)
    assert sums.granularity_cells.item() == 22
    assert granularity_score(sums).item() == pytest.approx(4)


@pytest.mark.parametrize("window", [1, 3, 5, 9, 21])
def test_a_moving_average_makes_edges_of_its_width(window):
    edge = np.tile(np.arange(80) >= 40, (4, 1)) * 1.0
    blurred = uniform_filter1d(edge, window, axis=1)
    assert width(blurred) == pytest.approx(window)
    assert width(blurred.T) == pytest.approx(window)


@pytest.mark.parametrize("sigma", [2.0, 4.0, 8.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4, 1.2])
def test_a_gaussian_makes_edges_of_a_known_width(sigma, angle):
    y, x = np.mgrid[:120, :120] - 60.0
    edge = ndtr((np.sin(angle) * y + np.cos(angle) * x) / sigma)
    # the rim of the domain cuts the tails of a slanted edge
    assert width(edge) == pytest.approx(SLOPE * sigma, rel=0.025)


@pytest.mark.parametrize("shape", [disc(), half_plane(), disc(80, 9.5)])
def test_sharp_events_are_as_fine_as_a_pixel(shape):
    assert width(shape) == pytest.approx(1, abs=0.1)
    assert width(shape, 2.0, 2.0) == pytest.approx(2, abs=0.2)


def test_it_grows_with_the_blur_and_almost_in_proportion():
    sharp = disc()
    sigmas = np.array([0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10])
    found = np.array([width(gaussian_filter(sharp, s)) for s in sigmas])
    assert (np.diff([width(sharp), *found]) >= 0).all()
    np.testing.assert_allclose(found[2:] / sigmas[2:], SLOPE, rtol=0.07)
    np.testing.assert_allclose(found[4:] / sigmas[4:], SLOPE, rtol=0.03)


def test_how_much_is_dry_does_not_matter():
    near = gaussian_filter(disc(60, 12), 2)
    near[near < 1e-9] = 0
    expected = width(near)
    assert width(np.pad(near, ((0, 200), (150, 30)))) == pytest.approx(expected)
    # neither does how much is certain to be wet
    assert width(1 - near) == pytest.approx(expected)


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_the_grid_does_not_matter_once_it_resolves_the_edge(spacing):
    y = (np.arange(round(160 / spacing)) + 0.5) * spacing - 80
    p = ndtr((40 - np.hypot(y[:, None], y)) / 4.0)
    assert width(p, spacing, spacing) == pytest.approx(SLOPE * 4, rel=0.03)


def test_pixels_need_not_be_square():
    y = (np.arange(320) + 0.5) * 0.5 - 80
    x = (np.arange(80) + 0.5) * 2.0 - 80
    p = ndtr((40 - np.hypot(y[:, None], x)) / 4.0)
    assert width(p, 0.5, 2.0) == pytest.approx(SLOPE * 4, rel=0.03)
    edge = np.tile(np.arange(10) >= 5, (10, 1)) * 1.0
    assert width(edge, 0.5, 2.0) == pytest.approx(2)
    assert width(edge.T, 0.5, 2.0) == pytest.approx(0.5)


def test_noise_of_yes_and_no_is_as_fine_as_can_be():
    # so it says nothing about skill
    rng = np.random.default_rng(0)
    assert width(rng.random((90, 90)) < 0.4) == pytest.approx(1, abs=0.15)
    assert width(rng.random((90, 90))) < 3.5
    assert width(np.indices((20, 20)).sum(0) % 2 * 1.0) < 2


def test_a_plateau_is_uncertain_in_all_its_area():
    sizes = [width(0.5 * disc(160, radius)) for radius in (10, 20, 40)]
    assert sizes[0] < sizes[1] < sizes[2]
    certain = [width(p * disc(160, 40)) for p in (0.25, 0.5, 0.75, 1)]
    assert certain == sorted(certain, reverse=True)


def test_without_coordinates_pixels_are_counted_and_it_is_said():
    p = gaussian_filter(disc(40, 10), 2)
    bare = granularity(field(p))
    assert bare.item() == pytest.approx(width(p))
    assert "as if a pixel was 1 km wide" in bare.attrs["comment"]
    assert "comment" not in granularity(on_grid(p)).attrs
    assert bare.attrs["units"] == "km"


# ------------------------------------------------------------------ missing, none


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, np.nan])
def test_a_constant_map_has_none(value):
    assert np.isnan(width(np.full((6, 7), value)))


def test_a_row_of_pixels_has_no_cell():
    assert np.isnan(granularity(field(np.eye(5)[:1])))


def test_cells_with_a_missing_corner_are_left_out():
    p = gaussian_filter(disc(60, 15), 2)
    gone = p.copy()
    gone[30:] = np.nan
    assert width(gone) == pytest.approx(width(p[:30]))
    sums = granularity_sums(on_grid(gone))
    assert sums.granularity_cells.item() == 29 * 59
    holes = np.where(np.random.default_rng(0).random(p.shape) < 0.1, np.nan, p)
    assert width(holes) == pytest.approx(width(p), rel=0.1)


@FEW
@given(MAPS)
def test_what_lies_beside_a_missing_pixel_counts_once(maps):
    sums = granularity_sums(field(maps), over="lead")
    known = ~np.isnan(maps)
    cells = known[:, 1:, 1:] & known[:, :-1, 1:] & known[:, 1:, :-1]
    cells &= known[:, :-1, :-1]
    assert sums.granularity_cells.item() == cells.sum()
    score = granularity_score(sums).item()
    assert np.isnan(score) or score >= 1 - 1e-9


# ------------------------------------------------------------------------ states


@FEW
@given(MAPS)
def test_states_add(maps):
    p = field(maps)
    whole = granularity_sums(p, over="lead")
    states = [granularity_sums(p[[i]], over="lead") for i in range(3)]
    xr.testing.assert_allclose(merge(*states), whole)
    xr.testing.assert_allclose(granularity_sums(p).sum("lead"), whole)
    assert whole.granularity_cells.dtype == np.int64


def test_maps_are_pooled():
    fine, coarse = (gaussian_filter(disc(), s) for s in (2, 6))
    both = granularity(on_grid(np.stack([fine, coarse])), over="lead").item()
    by_lead = granularity(on_grid(np.stack([fine, coarse])))
    assert by_lead.dims == ("lead",)
    np.testing.assert_allclose(by_lead, [width(fine), width(coarse)])
    assert width(fine) < both < width(coarse)


# --------------------------------------------------------------------- ensembles


def test_members_share_one_probability():
    members = np.stack([np.roll(disc(), s, axis=1) * 7 for s in (-6, -2, 2, 6)])
    p = (members >= 5).mean(0)
    found = granularity(ensemble(members), threshold=5)
    assert found.item() == pytest.approx(granularity(field(p)).item())
    several = granularity(ensemble(members, units="mm"), threshold=[5, 7, 8])
    assert several.dims == ("threshold",)
    assert several.threshold.attrs["units"] == "mm"
    np.testing.assert_allclose(several[:2], found.item())
    assert np.isnan(several[2])
    shuffled = granularity(ensemble(members[[2, 0, 3, 1]]), threshold=5)
    assert shuffled.item() == found.item()


def test_spread_makes_it_coarse_and_one_forecast_is_as_fine_as_the_grid():
    rng = np.random.default_rng(0)
    found = []
    for spread in (0, 3, 6, 12):
        shifts = np.round(rng.normal(0, spread, (40, 2))).astype(int)
        members = np.stack([np.roll(disc(), s, axis=(0, 1)) for s in shifts])
        found.append(granularity(ensemble(members), threshold=1).item())
    assert found[0] == pytest.approx(1, abs=0.1)
    assert found[0] < found[1] < found[2] < found[3]
    # like the Gaussian that the edges are spread by
    assert found[2] == pytest.approx(SLOPE * 6, rel=0.25)
    assert granularity(field(disc()), threshold=1).item() == pytest.approx(1, abs=0.1)


def test_a_pixel_missing_in_a_member_is_missing():
    members = np.stack([disc(30, 8), disc(30, 6)])
    gone = members.copy()
    gone[1, 10:12, 20] = np.nan
    p = members.mean(0)
    p[10:12, 20] = np.nan
    found = granularity_sums(ensemble(gone), threshold=1)
    expected = granularity_sums(field(p))
    xr.testing.assert_allclose(found.drop_vars("threshold"), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, bool])
def test_any_kind_of_number(dtype):
    p = disc(30, 8)
    expected = granularity(field(p)).item()
    assert granularity(field(p.astype(dtype))).item() == expected
    assert granularity(field(p.astype(dtype)), threshold=1).item() == expected


def test_synthetic_storms():
    for seed in (0, 3):
        rain = storms(seed)[-1]
        sharp = (rain >= 1) * 1.0
        assert width(sharp) == pytest.approx(1, abs=0.1)
        found = [width(gaussian_filter(sharp, s)) for s in (1, 2, 4)]
        assert 1 < found[0] < found[1] < found[2]
        assert found[1] / found[0] == pytest.approx(2, rel=0.25)
        blurred = [width(uniform_filter(sharp, n)) for n in (3, 5, 9)]
        np.testing.assert_allclose(blurred, (3, 5, 9), rtol=0.35)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mch_20170131", "bom02_20180616"])
def test_real_radar(name):
    if not (DATA / f"{name}.nc").exists():
        pytest.skip(f"no {DATA}/{name}.nc; set STORMFUSION_DATA")
    with xr.open_dataset(DATA / f"{name}.nc") as opened:
        rain = opened["rain_rate"].isel(time=[5, 25]).load()
    spacing = abs(float(rain.x[1] - rain.x[0])) / 1000
    event = (rain >= 1).where(rain.notnull()) * 1.0
    sharp = granularity(event).item()
    assert spacing <= sharp < 1.1 * spacing
    found = []
    for sigma in (1.0, 2.0, 4.0):  # km
        p = event.copy(
            data=[gaussian_filter(e, sigma / spacing) for e in event.fillna(0).values]
        )
        found.append(granularity(p.where(rain.notnull())).item())
    assert sharp < found[0] < found[1] < found[2]
    # where storms are nearer to each other than the blur is wide they melt together
    slopes = np.divide(found, [1.0, 2.0, 4.0])
    assert (np.diff(slopes) > 0).all()
    np.testing.assert_allclose(slopes[:2], SLOPE, rtol=0.3)
    np.testing.assert_allclose(slopes[2], SLOPE, rtol=0.6)


# -------------------------------------------------------------------------- rest


def test_dask_is_numpy():
    rng = np.random.default_rng(0)
    members = field(rng.gamma(0.5, 3, (4, 3, 12, 13)))
    members[1, 0, 3:5, 2] = np.nan
    p = (members >= 2).mean("member")
    chunks = {"lead": 2, "y": 5}

    def refuse(*_, **__):
        raise AssertionError("computed too soon")

    with dask.config.set(scheduler=refuse):
        lazy = granularity_sums(members.chunk(chunks | {"member": 2}), threshold=[1, 3])
        single = granularity(p.chunk(chunks))
    expected = granularity_sums(members, threshold=[1, 3])
    xr.testing.assert_allclose(lazy.compute(), expected)
    xr.testing.assert_allclose(single.compute(), granularity(p))


def test_bad_input():
    p = field(disc(20, 5))
    with pytest.raises(ValueError, match="pass the threshold of the event"):
        granularity(p.expand_dims(member=2))
    with pytest.raises(ValueError, match="got 0 to 7; pass a threshold for values"):
        granularity(7 * p)
    with pytest.raises(ValueError, match="got -1 to 0; pass a threshold for values"):
        granularity(p - 1)
    with pytest.raises(ValueError, match=r"dimensions y and x, .*\.rename"):
        granularity(p.rename(y="row"))
    with pytest.raises(ValueError, match="give one or more"):
        granularity(p.expand_dims(member=0), threshold=1)
    with pytest.raises(ValueError, match="finite number, or several"):
        granularity(p, threshold=[1, 1])
    with pytest.raises(ValueError, match="cannot sum over"):
        granularity(p, over="time")
    with pytest.raises(TypeError, match="not a DataArray"):
        granularity(p.values)


def test_rounding_just_beyond_0_and_1_is_forgiven():
    p = disc(20, 5)
    rounded = np.where(p == 1, 1 + 1e-9, -1e-9)
    assert width(rounded) == pytest.approx(width(p))


def test_what_comes_in_stays_as_it_was():
    p = field(np.where(np.eye(5) > 0, np.nan, 0.5))
    before = p.copy(deep=True)
    granularity(p)
    granularity(p, threshold=0.2)
    xr.testing.assert_identical(p, before)


def test_maps_of_many_rows_by_quadrature():
    rng = np.random.default_rng(0)
    p = np.where(rng.random((37, 9)) < 0.05, np.nan, rng.integers(0, 5, (37, 9)) / 4)
    dy, dx, at = 1.5, 0.7, (0.5 + np.array([-1, 1]) / 12**0.5)  # Gauss, exact for p^2
    cells, area, length = 0, 0.0, 0.0
    for i, j in np.ndindex(36, 8):
        (a, b), (c, d) = p[i : i + 2, j : j + 2]
        if np.isnan(a + b + c + d):
            continue
        t, s = np.meshgrid(at, at)
        inside = (a * (1 - s) + b * s) * (1 - t) + (c * (1 - s) + d * s) * t
        down = ((c - a) * (1 - s) + (d - b) * s) / dy
        along = ((b - a) * (1 - t) + (d - c) * t) / dx
        cells += 1
        area += dy * dx * (inside * (1 - inside)).mean()
        length += dy * dx * (down**2 + along**2).mean() ** 0.5
    coords = {"y": 1e3 * dy * np.arange(37), "x": 1e3 * dx * np.arange(9)}
    sums = granularity_sums(xr.DataArray(p, dims=("y", "x"), coords=coords))
    assert sums.granularity_cells.item() == cells
    assert sums.uncertain_area.item() == pytest.approx(area)
    assert sums.contour_length.item() == pytest.approx(length)
