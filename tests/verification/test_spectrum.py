from itertools import product

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter

from stormfusion.data.scaling import scaling_for
from stormfusion.errors import GridMismatchError
from stormfusion.units import vil_from_bytes
from stormfusion.verification import merge
from stormfusion.verification.spectrum import (
    WAVELENGTHS,
    band_score,
    effective_resolution,
    power_sums,
    quickly,
    resolution_score,
    spectrum_ratio,
    spectrum_score,
)

FEW = settings(max_examples=25, deadline=None)


def field(values, name=None, **attrs):
    values = np.asarray(values)
    dims = ("member", "lead", "y", "x")[-values.ndim :]
    return xr.DataArray(values, dims=dims, name=name, attrs=attrs)


def on_grid(values, dy=1000.0, dx=1000.0, **attrs):
    array = field(values, **attrs)
    y, x = (np.arange(array.sizes[d]) * s for d, s in (("y", dy), ("x", dx)))
    return array.assign_coords(y=y, x=x)


def plane(shape, dy, dx, wavelength, angle):
    """A wave of a wavelength [km] on a grid with pixels of dy x dx km."""
    y, x = np.arange(shape[0])[:, None] * dy, np.arange(shape[1]) * dx
    phase = y * np.sin(angle) + x * np.cos(angle)
    return on_grid(np.sin(2 * np.pi * phase / wavelength), dy * 1000, dx * 1000)


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


FIELDS = hnp.arrays(
    np.float64,
    st.tuples(st.just(2), st.just(2), st.integers(2, 9), st.integers(2, 9)),
    elements=st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0, np.nan]),
)


def test_classes_are_half_octaves():
    sums = power_sums(on_grid(noise((4, 4))), on_grid(noise((4, 4))))
    edges = np.append(sums.wavelength_lower, sums.wavelength_upper[-1])
    np.testing.assert_array_equal(edges, WAVELENGTHS)
    np.testing.assert_allclose(edges[1:] / edges[:-1], 2**0.5)
    assert edges[[0, 4, 8, -1]] == pytest.approx([1, 4, 16, 512])
    centre = np.sqrt(sums.wavelength_lower * sums.wavelength_upper)
    np.testing.assert_allclose(sums.wavelength, centre)
    for label in ("wavelength", "wavelength_lower", "wavelength_upper"):
        assert sums[label].attrs["units"] == "km"


@pytest.mark.parametrize(
    ("shape", "dy", "dx"),
    [((96, 96), 1, 1), ((128, 64), 1, 2), ((61, 147), 2, 1), ((257, 181), 0.5, 0.7)],
)
@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 4, np.pi / 2, 2.5])
def test_a_plane_wave_is_in_its_class(shape, dy, dx, angle):
    wave = plane(shape, dy, dx, 9.5, angle)
    power = power_sums(wave, wave).power_observed
    share = power / power.sum()
    assert share.sel(wavelength=9.5, method="nearest") > 0.8
    assert share.isel(wavelength=slice(4, 8)).sum() > 0.99  # 4 to 16 km


@pytest.mark.parametrize(("shape", "dy", "dx"), [((64, 48), 1, 2), ((63, 95), 1, 2)])
@pytest.mark.parametrize("angle", [0.0, np.pi / 2])
def test_a_wave_of_8_km_is_around_8_km(shape, dy, dx, angle):
    # the window spreads a wave on the edge of two classes over both
    wave = plane(shape, dy, dx, 8.0, angle)
    power = power_sums(wave, wave).power_observed
    around = power.sel(wavelength=[6.73, 9.51], method="nearest").sum()
    assert around / power.sum() > 0.99


def test_modes_by_hand():
    # 4 x 4 pixels of 1 km: 4 modes of 4 km, 4 of 2.83, 1 of 1.41, 2 of 2, 4 of 1.79 km
    sums = power_sums(on_grid(noise((4, 4))), on_grid(noise((4, 4))))
    modes = sums.power_modes
    assert modes.dtype == np.int64
    assert modes.sel(wavelength_of(4)).item() == 4
    assert modes.sel(wavelength_of(2.83)).item() == 4
    assert modes.sel(wavelength_of(2)).item() == 2
    assert modes.sel(wavelength_of(1.42)).item() == 5
    assert modes.sum() == 15  # all but the mean
    # pixels of 1 x 2 km: along x all wavelengths are twice as long
    wide = on_grid(noise((4, 4)), dx=2000.0)
    modes = power_sums(wide, wide).power_modes
    assert modes.sel(wavelength_of(8)).item() == 2


def wavelength_of(shortest):
    lower = np.array(WAVELENGTHS[:-1])
    upper = np.array(WAVELENGTHS[1:])
    at = np.argmin(abs(lower - shortest))
    return {"wavelength": np.sqrt(lower * upper)[at]}


@FEW
@given(st.integers(2, 12), st.integers(2, 12), st.integers(0, 99))
def test_power_of_all_modes_is_the_variance(height, width, seed):
    dy, dx = 2.5, 1.7
    values = noise((height, width), seed) + 5
    array = on_grid(values, dy * 1000, dx * 1000)
    sums = power_sums(array, array)
    assert sums.power_modes.sum() == height * width - 1
    hann = [np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in values.shape]
    weight = np.outer(*hann)
    about = (values - np.average(values, weights=weight)) * weight
    variance = np.sum(about**2) / np.sum(weight**2)
    # a mode stands for 1 / (height dy width dx) of the plane of wavenumbers
    total = sums.power_observed.sum().item() / (height * dy * width * dx)
    # what the window makes of the mean is next to none
    assert total + about.mean() ** 2 * values.size / np.sum(weight**2) == pytest.approx(
        variance
    )


def test_spectral_density_does_not_depend_on_the_grid():
    # white noise has one density: variance times the area of a pixel
    small, large = on_grid(noise((70, 91))), on_grid(noise((333, 250), 1))
    for array in (small, large):
        sums = power_sums(array, array).isel(wavelength=slice(1, 6))
        density = sums.power_observed / sums.power_modes
        np.testing.assert_allclose(density, 1.0, rtol=0.25)
    fine = on_grid(noise((300, 300)), 500.0, 500.0)
    sums = power_sums(fine, fine).isel(wavelength=slice(0, 6))
    np.testing.assert_allclose(sums.power_observed / sums.power_modes, 0.25, rtol=0.25)


def test_grids_of_any_kind_merge():
    one, other = on_grid(noise((30, 47))), on_grid(noise((12, 80), 1), 2000.0, 1500.0)
    states = [power_sums(f * a, f) for f, a in ((one, 2.0), (other, 0.5))]
    both = merge(*states)
    for name in ("power_modes", "power_forecast", "power_observed"):
        xr.testing.assert_allclose(both[name], states[0][name] + states[1][name])
    pooled = 4 * states[0].power_observed + 0.25 * states[1].power_observed
    expected = pooled / (states[0].power_observed + states[1].power_observed)
    xr.testing.assert_allclose(spectrum_score(both), expected)
    inside = both.isel(wavelength=slice(4, 8)).sum()
    ratio = band_score(both, (4, 16))
    assert ratio.item() == pytest.approx(
        (inside.power_forecast / inside.power_observed).item()
    )


def test_latitudes_and_longitudes():
    # at 60 degrees north a degree of longitude is half as long
    y = xr.DataArray(60 + (np.arange(41) - 20) * 0.02, dims="y")
    x = xr.DataArray(np.arange(60) * 0.04, dims="x")
    y.attrs["units"], x.attrs["units"] = "degrees_north", "degrees_east"
    degrees = field(noise((41, 60))).assign_coords(y=y, x=x)
    step = 0.02 * 111_195.0
    metres = on_grid(degrees.values, step, step)
    there, here = power_sums(degrees, degrees), power_sums(metres, metres)
    xr.testing.assert_allclose(there, here)
    assert "pixel" not in there.power_observed.attrs["comment"]


def test_units_and_direction_of_the_coordinates_do_not_matter():
    metres = on_grid(noise((20, 31)))
    kilometres = metres.assign_coords(y=metres.y[::-1] / 1000, x=metres.x / 1000)
    for dim in ("y", "x"):
        kilometres[dim].attrs["units"] = "km"
    here, there = (power_sums(a, a) for a in (metres, kilometres))
    xr.testing.assert_allclose(here, there)


def test_without_coordinates_pixels_are_counted_and_it_is_said():
    bare, labelled = field(noise((20, 31))), on_grid(noise((20, 31)))
    sums = power_sums(bare, bare)
    xr.testing.assert_allclose(sums, power_sums(labelled, labelled))
    for attrs in (sums.power_forecast.attrs, spectrum_ratio(bare, bare).attrs):
        assert "without coordinates, as if a pixel was 1 km" in attrs["comment"]
    assert "pixel" not in power_sums(bare, labelled).power_forecast.attrs["comment"]


@FEW
@given(FIELDS)
def test_sums_of_parts_are_sums_of_the_whole(sample):
    f, o = (field(s) for s in sample)
    whole = power_sums(f, o, over="lead")
    parts = [power_sums(f[[i]], o[[i]], over="lead") for i in range(2)]
    xr.testing.assert_allclose(merge(*parts), whole)
    by_lead = power_sums(f, o)
    assert by_lead.power_forecast.dims == ("lead", "wavelength")
    xr.testing.assert_allclose(by_lead.sum("lead"), whole)


@FEW
@given(FIELDS)
def test_perfect_and_inverse(sample):
    f, o = (field(s) for s in sample)
    perfect = spectrum_ratio(o, o)
    assert np.all(np.isnan(perfect) | (perfect == 1))
    there, back = power_sums(f, o), power_sums(o, f)
    xr.testing.assert_allclose(there.power_forecast, back.power_observed)
    xr.testing.assert_equal(there.power_modes, back.power_modes)


@FEW
@given(FIELDS, st.sampled_from([7.0, np.inf, -np.inf, 1e300]))
def test_what_lies_under_a_missing_pixel_does_not_matter(sample, odd):
    f, o = sample
    hole = np.isnan(f) | np.isnan(o)
    expected = power_sums(field(f), field(o))
    dry = [field(np.where(hole, 0.0, v)) for v in sample]
    filled = power_sums(*dry)
    some = ~hole.all(axis=(1, 2))
    for lead in range(2):
        if some[lead]:
            xr.testing.assert_allclose(expected.isel(lead=lead), filled.isel(lead=lead))
        else:
            assert expected.isel(lead=lead).power_modes.sum() == 0
    only_f = power_sums(field(np.where(hole, np.nan, f)), field(np.where(hole, odd, o)))
    xr.testing.assert_allclose(only_f, expected)


def test_a_frame_without_a_pair_adds_nothing():
    o = noise((2, 16, 16))
    f = o.copy()
    f[1] = np.nan
    sums = power_sums(field(f), field(o))
    assert (sums.power_modes[1] == 0).all()
    assert (sums.power_observed[1] == 0).all()
    xr.testing.assert_allclose(sums.isel(lead=0), sums.sum("lead"))
    assert np.isnan(spectrum_ratio(field(f), field(o))[1]).all()
    assert np.isnan(spectrum_ratio(field(f), field(o), band=(4, 16))[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *product([None, "vil", "rain_rate", "reflectivity"], [0.0, 0.1, 90.0]),
        (None, 1e6),
    ],
)
def test_constant_fields_have_no_power(value, name):
    # neither does rounding make one
    f, o = field(np.full((50, 33), value), name), field(np.full((50, 33), 0.3), name)
    assert np.isnan(spectrum_ratio(f, o)).all()
    assert np.isnan(spectrum_ratio(f, o, band=(4, 16)))
    assert power_sums(f, o).power_modes.sum() == 50 * 33 - 1


@pytest.mark.parametrize("name", ["vil", "rain_rate", "reflectivity"])
def test_what_no_weather_has_is_missing(name):
    o = field(abs(noise((16, 16))), name)
    spoilt, gap = o.copy(), o.copy()
    spoilt[3:5, 2:9] = 1e20
    gap[3:5, 2:9] = np.nan
    xr.testing.assert_equal(power_sums(o, spoilt), power_sums(o, gap))
    spoilt[3:5, 2:9] = -9999
    with pytest.warns(UserWarning, match="down to -1e.04 .*below all weather"):
        found = power_sums(spoilt, o)
    xr.testing.assert_equal(found, power_sums(gap, o))


def test_a_forecast_that_explodes_is_not_missing():
    o = field(abs(noise((16, 16))), "rain_rate")
    spoilt, most = o.copy(), o.copy()
    most[3:5, 2:9] = 5000.0
    for value in (1e6, np.inf):
        spoilt[3:5, 2:9] = value
        with pytest.warns(UserWarning, match="beyond all weather"):
            found = power_sums(spoilt, o)
        xr.testing.assert_equal(found, power_sums(most, o))


def test_power_where_none_was_is_infinite():
    o = field(np.zeros((16, 16)))
    assert spectrum_ratio(field(noise((16, 16))), o, band=(4, 16)) == np.inf
    assert spectrum_ratio(o, field(noise((16, 16))), band=(4, 16)) == 0


@FEW
@given(st.integers(0, 99), st.integers(40, 70), st.integers(40, 70))
def test_blurring_takes_away_detail(seed, height, width):
    o = noise((height, width), seed)
    blurred = [field(gaussian_filter(o, sigma)) for sigma in (0.5, 1.0, 2.0)]
    ratios = [spectrum_ratio(f, field(o), band=(2, 8)).item() for f in blurred]
    assert 1 > ratios[0] > ratios[1] > ratios[2] > 0
    small, large = (
        spectrum_ratio(blurred[0], field(o), band=b) for b in ((2, 4), (8, 32))
    )
    assert small < large


@FEW
@given(st.floats(0.01, 100))
def test_the_ratio_is_that_of_squares(factor):
    o = field(noise((17, 24)), units="m s-1")
    ratio = spectrum_ratio(factor * o, o)
    np.testing.assert_allclose(ratio.dropna("wavelength"), factor**2)
    assert power_sums(o, o).power_observed.attrs["units"] == "(m s-1)^2 km2"


@pytest.mark.parametrize("name", ["vil", "rain_rate", "reflectivity", "ir107"])
def test_variables_of_the_house_are_compared_in_network_numbers(name):
    f, o = (field(np.exp(noise((24, 24), s))) for s in (0, 1))
    bare = power_sums(*(field(scaling_for(name).normalize(v.values)) for v in (f, o)))
    named = power_sums(f, o.rename(name))
    xr.testing.assert_allclose(named, bare)
    xr.testing.assert_allclose(power_sums(f, o, variable=name), bare)
    xr.testing.assert_allclose(power_sums(f, o.rename("hail"), variable=name), bare)
    attrs = named.power_forecast.attrs
    assert attrs["units"] == "km2"
    assert f"network numbers of {name}" in attrs["comment"]
    raw = power_sums(f, o.rename("hail")).power_observed.attrs
    assert "values as they are" in raw["comment"]


def test_values_in_other_units_are_converted():
    f, o = (np.exp(noise((16, 16), s)) for s in (0, 1))
    ours = power_sums(field(f), field(o, "rain_rate", units="mm h-1"))
    other = power_sums(field(f / 25.4), field(o / 25.4, "rain_rate", units="inch h-1"))
    xr.testing.assert_allclose(ours, other)
    with pytest.raises(ValueError, match="give units of the same kind"):
        power_sums(field(f), field(o, "rain_rate", units="K"))


def test_minus_infinite_reflectivity_is_dry():
    o = np.where(noise((16, 16)) > 1, 30.0, -np.inf)
    sums = power_sums(field(o), field(o, "reflectivity"))
    dry = power_sums(field(o), field(np.maximum(o, -10), "reflectivity"))
    xr.testing.assert_allclose(sums, dry)


@pytest.mark.parametrize(
    ("fill", "name"),
    [(np.inf, None), (-9999.0, "reflectivity"), (9.96921e36, "rain_rate")],
)
def test_what_is_beyond_all_numbers_is_missing(fill, name):
    f = np.exp(noise((16, 16))).astype(np.float32)
    hole = noise((16, 16), 1) > 1
    o, missing = (field(np.where(hole, np.float32(v), f), name) for v in (fill, np.nan))
    xr.testing.assert_allclose(power_sums(field(f), o), power_sums(field(f), missing))


def test_infinite_observations_are_missing_and_told_of():
    f = np.exp(noise((16, 16))).astype(np.float32)
    hole = noise((16, 16), 1) > 1
    o, missing = (
        field(np.where(hole, np.float32(v), f), "reflectivity")
        for v in (np.inf, np.nan)
    )
    with pytest.warns(UserWarning, match="above 100 dBZ, which no weather is"):
        found = power_sums(field(f), o)
    xr.testing.assert_allclose(found, power_sums(field(f), missing))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_coarse_numbers_are_rain_too(dtype):
    o = np.random.default_rng(0).integers(0, 60, (16, 16))
    expected = power_sums(field(o * 1.0), field(o * 1.0, "rain_rate"))
    sums = power_sums(field(o.astype(dtype)), field(o.astype(dtype), "rain_rate"))
    xr.testing.assert_allclose(sums, expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, bool])
def test_any_kind_of_number(dtype):
    o = np.random.default_rng(0).integers(0, 2, (15, 16)).astype(dtype)
    expected = power_sums(field(o.astype(np.float64)), field(o.astype(np.float64)))
    xr.testing.assert_allclose(power_sums(field(o), field(o)), expected)
    vil = field(vil_from_bytes(o.astype(np.uint8) * 200).astype(np.float32), "vil")
    assert spectrum_ratio(vil, vil, band=(4, 16)) == 1


def test_members_have_their_own_power():
    members, o = noise((5, 2, 32, 33)), noise((2, 32, 33), 1)
    sums = power_sums(field(members), field(o))
    each = [power_sums(field(m), field(o)) for m in members]
    xr.testing.assert_allclose(
        sums.power_forecast, sum(e.power_forecast for e in each) / 5
    )
    xr.testing.assert_allclose(sums.power_observed, each[0].power_observed)
    xr.testing.assert_equal(sums.power_modes, each[0].power_modes)
    ratio = spectrum_ratio(field(members), field(o), band=(2, 16))
    np.testing.assert_allclose(ratio, 1, rtol=0.3)
    mean = spectrum_ratio(field(members.mean(0)), field(o), band=(2, 16))
    np.testing.assert_allclose(mean, 0.2, rtol=0.4)


def test_a_pixel_missing_in_a_member_is_missing():
    members, o = noise((3, 1, 12, 12)), noise((1, 12, 12), 1)
    members[1, 0, 2, 3] = np.nan
    dry = members.copy()
    dry[:, 0, 2, 3] = 0
    o_dry = o.copy()
    o_dry[0, 2, 3] = 0
    xr.testing.assert_allclose(
        power_sums(field(members), field(o)), power_sums(field(dry), field(o_dry))
    )


def test_labels():
    lead = np.array([5, 10], "timedelta64[m]")
    o = on_grid(noise((2, 24, 25))).assign_coords(lead=lead)
    ratio = spectrum_ratio(o.transpose("x", "lead", "y"), o)
    assert ratio.dims == ("lead", "wavelength")
    np.testing.assert_array_equal(ratio.lead, lead)
    assert ratio.attrs["units"] == "1"
    np.testing.assert_allclose(ratio.where(ratio.notnull(), 1), 1)
    assert spectrum_ratio(o, o, over=("lead", "y", "x")).dims == ("wavelength",)
    cases = xr.concat([o, o], "time")
    assert spectrum_ratio(cases, cases).dims == ("lead", "wavelength")
    by_case = power_sums(cases, cases, over=())
    assert by_case.power_modes.dims == ("time", "lead", "wavelength")
    band = spectrum_ratio(o, o, band=(4, 16))
    assert band.dims == ("lead",)
    assert (band.wavelength_lower, band.wavelength_upper) == (4, 16)
    assert band.wavelength_upper.attrs["units"] == "km"


def test_a_band_is_a_union_of_classes_and_pools_them():
    f, o = (field(gaussian_filter(noise((64, 60), s), s)) for s in (1, 2))
    sums = power_sums(f, o)
    inside = sums.isel(wavelength=slice(4, 8)).sum()
    expected = (inside.power_forecast / inside.power_observed).item()
    assert spectrum_ratio(f, o, band=(4, 16)).item() == pytest.approx(expected)
    rounded = spectrum_ratio(f, o, band=(2.83, 11.3))
    assert rounded.wavelength_lower.item() == pytest.approx(8**0.5)
    one = spectrum_ratio(f, o, band=(8, 11.31)).item()
    assert one == spectrum_ratio(f, o).sel(wavelength_of(8)).item()
    assert np.isnan(spectrum_ratio(f, o, band=(256, 512)))


@pytest.mark.parametrize(
    "band",
    [
        (16, 4),
        (4, 4),
        (4, 15),
        (4,),
        (4, 8, 16),
        (4, 1024),
        (0, 4),
        4,
        ("a", "b"),
        (None, 4),
        (np.nan, 4),
        (4, np.inf),
        (),
    ],
)
def test_bands_end_at_edges(band):
    f = field(noise((16, 16)))
    match = r"shorter and a longer.*\(4, 16\), out of 1, 1.41, 2, 2.83, 4,.*, 512$"
    with pytest.raises(ValueError, match=match):
        spectrum_ratio(f, f, band=band)


def test_bad_input():
    f = field(noise((8, 8)))
    with pytest.raises(ValueError, match=r"dimensions y and x, .*\.rename"):
        power_sums(f.rename(y="row"), f.rename(y="row"))
    with pytest.raises(ValueError, match="wanted one of vil"):
        power_sums(f, f, variable="hail")
    with pytest.raises(GridMismatchError, match="differ in x"):
        power_sums(f, f[:, 1:])
    with pytest.raises(ValueError, match="cannot sum over"):
        power_sums(f, f, over="time")
    half = f.assign_coords(x=np.arange(8) * 1000.0)
    with pytest.raises(GridMismatchError, match="'y' has no coordinate"):
        power_sums(half, half)
    counted = f.assign_coords(
        {dim: (dim, range(8), {"units": "m"}) for dim in ("y", "x")}
    )
    with pytest.raises(ValueError, match=r"0.001 x 0.001 km.*y and x in metres"):
        spectrum_ratio(counted, counted)
    with pytest.raises(ValueError, match="has no wave of 1 to 512 km"):
        spectrum_ratio(f[:1, :1], f[:1, :1])
    assert not power_sums(counted, counted).power_modes.any()


def test_what_comes_in_stays_as_it_was():
    f, o = (field(np.where(noise((9, 9), s) > 2, np.nan, 1.0), "vil") for s in (0, 1))
    before = f.copy(deep=True), o.copy(deep=True)
    power_sums(f, o)
    xr.testing.assert_identical(f, before[0])
    xr.testing.assert_identical(o, before[1])


# ------------------------------------------------------------------ float32 and Dask


@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_single_precision_is_enough(offset):
    # a smooth forecast has 1e-10 of the observed power at 2 km, and it is seen
    o = gaussian_filter(noise((128, 128)), 1) + offset
    f = gaussian_filter(o - offset, 2) + offset
    exact = power_sums(field(f), field(o))
    single = power_sums(*(field(a.astype(np.float32)) for a in (f, o)))
    here, there = (spectrum_score(s) for s in (exact, single))
    plain = here > (1e-9 if offset == 0 else 1e-3)
    assert plain.sum() > 6
    np.testing.assert_allclose(there.where(plain), here.where(plain), rtol=2e-3)


def test_rounding_in_single_precision_is_no_power():
    wave = plane((64, 64), 1, 1, 32.0, 0.0).astype(np.float32)
    window = power_sums(wave, wave)
    exact = power_sums(wave.astype(np.float64), wave.astype(np.float64))
    large = exact.power_observed > 1e-9 * exact.power_observed.max()
    np.testing.assert_allclose(
        window.power_observed.where(large), exact.power_observed.where(large), rtol=1e-3
    )
    least = 1e-11 * exact.power_observed.max()
    assert (window.power_observed.where(~large, 0) < least).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_rounding_counts_as_no_power_and_a_weak_wave_as_some(dtype, offset):
    # the window spreads a wave of 32 km to no others than those of 20 km and more
    wave, weak = (plane((64, 64), 1, 1, length, 0.0) for length in (32.0, 4.8))
    alone = (wave + offset).astype(dtype)
    short = power_sums(alone, alone).isel(wavelength=slice(0, 8))
    assert (short.power_observed == 0).all()
    assert (short.power_forecast == 0).all()
    assert np.isnan(spectrum_score(short)).all()
    # waves of a millionth are above the bound, where no mean drowns them
    if offset == 0:
        f, o = ((wave + a * weak).astype(dtype) for a in (2e-6, 1e-6))
        assert spectrum_ratio(f, o, band=(4, 5.66)).item() == pytest.approx(4, rel=0.1)


def test_each_field_is_transformed_in_the_better_precision():
    o = gaussian_filter(noise((40, 40)), 2) + 300
    f = o.astype(np.float32)
    sums = power_sums(field(f), field(o))
    exact = power_sums(field(f.astype(np.float64)), field(o))
    xr.testing.assert_identical(sums, exact)


def test_dask_is_numpy():
    o = field(noise((2, 3, 24, 20))[0])
    f = xr.concat([o + field(noise((3, 24, 20), s)) for s in (1, 2)], "member")
    f[1, 0, 3, 4] = np.nan
    expected = power_sums(f, o)

    def refuse(*_, **__):
        raise AssertionError("computed too soon")

    chunks = {"lead": 2, "y": 7}
    with dask.config.set(scheduler=refuse):
        lazy = power_sums(f.chunk(chunks), o.chunk(chunks))
        score = resolution_score(lazy)
    xr.testing.assert_allclose(lazy.compute(), expected)
    xr.testing.assert_allclose(score.compute(), effective_resolution(f, o))


# --------------------------------------------------------------- effective resolution


def powers(ratios, observed=1.0):
    """Sums with these ratios, from the longest wavelength on."""
    o = np.full(len(ratios), observed)
    sums = {"power_forecast": np.array(ratios) * o, "power_observed": o}
    sums = xr.Dataset({k: ("wavelength", v[::-1]) for k, v in sums.items()})
    return sums.assign_coords(wavelength=2.0 ** np.arange(len(ratios)))


@pytest.mark.parametrize(
    ("ratios", "fraction", "wavelength"),
    [
        ([1.0, 1.0, 0.0, 0.0], 0.5, 2**1.5),
        ([1.0, 0.75, 0.25, 0.0], 0.5, 2**1.5),
        ([1.0, 0.9, 0.8, 0.4], 0.6, 2**0.5),
        # a rebound does not count, whether it is noise or not
        ([1.0, 1.0, 0.0, 5.0], 0.5, 2**1.5),
        # what is reached exactly is resolved
        ([1.0, 0.5, 0.5, 0.0], 0.5, 2.0),
        ([1.0, 2.0, 1.5, 0.5], 0.5, 1.0),
        ([0.4, 1.0, 1.0, 1.0], 0.5, np.inf),
        ([np.nan, 1.0, 0.0, 0.0], 0.5, 2**1.5),
        ([1.0, np.nan, 0.0, 0.0], 0.5, 4.0),
        ([1.0, 1.0, 1.0, np.nan], 0.5, 2.0),
        ([np.inf, np.inf, 0.0, 0.0], 0.5, 2.0),
        ([np.nan] * 4, 0.5, np.nan),
    ],
)
def test_resolution_by_hand(ratios, fraction, wavelength):
    sums = powers([0.0 if np.isnan(r) or np.isinf(r) else r for r in ratios])
    odd = np.array(ratios)[::-1]
    none = sums.power_observed.where(~(np.isnan(odd) | np.isinf(odd)), 0.0)
    some = sums.power_forecast.where(~np.isinf(odd), 1.0)
    sums = sums.assign(power_observed=none, power_forecast=some)
    score = resolution_score(sums, fraction=fraction)
    np.testing.assert_allclose(score, wavelength)
    assert score.attrs["units"] == "km"
    turned = resolution_score(sums.isel(wavelength=slice(None, None, -1)))
    if fraction == 0.5:
        np.testing.assert_allclose(turned, wavelength)


@pytest.mark.parametrize(
    ("sigma", "spacing"), [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0), (2.0, 2.0), (4.0, 2.0)]
)
def test_resolution_of_a_gaussian_blur(sigma, spacing):
    # exp(-(2 pi sigma / wavelength)^2) = 1/2
    o = noise((200, 200))
    f = gaussian_filter(o, sigma / spacing, mode="wrap")
    arrays = (on_grid(a, spacing * 1000, spacing * 1000) for a in (f, o))
    found = effective_resolution(*arrays)
    expected = 2 * np.pi * sigma / np.log(2) ** 0.5
    assert found.item() == pytest.approx(expected, rel=0.08)


def test_noise_added_to_a_blur_does_not_sharpen_it():
    o = gaussian_filter(noise((200, 200)), 1)
    f = gaussian_filter(o, 3)
    smooth = effective_resolution(field(f), field(o)).item()
    rough = field(f + 0.02 * noise(o.shape, 1))
    assert spectrum_ratio(rough, field(o))[1] > 1
    assert effective_resolution(rough, field(o)).item() == pytest.approx(
        smooth, rel=0.02
    )


def test_resolution_of_cases_and_leads():
    o = noise((2, 100, 100))
    f = np.stack([gaussian_filter(m, s) for m, s in zip(o, (1, 3), strict=True)])
    by_lead = effective_resolution(field(f), field(o))
    assert by_lead.dims == ("lead",)
    assert by_lead[0] < by_lead[1]
    states = [power_sums(field(f[i]), field(o[i])) for i in range(2)]
    both = effective_resolution(field(f), field(o), over="lead")
    xr.testing.assert_allclose(resolution_score(merge(*states)), both)
    assert by_lead[0] < both < by_lead[1]
    # what is perfect resolves all that the grid can tell
    perfect = effective_resolution(field(o), field(o), over="lead")
    assert perfect.item() == pytest.approx(2**0.5 * 2**0.25)
    members = xr.concat([field(f), field(f)], "member")
    xr.testing.assert_allclose(effective_resolution(members, field(o)), by_lead)
    attrs = effective_resolution(field(f), field(o).rename("hail"), fraction=0.3).attrs
    assert "0.3 of the observed power" in attrs["comment"]
    assert "values as they are" in attrs["comment"]


def test_resolution_of_nothing():
    o = field(noise((16, 16)))
    assert np.isnan(effective_resolution(0 * o, 0 * o))
    assert effective_resolution(0 * o, o) == np.inf
    assert np.isnan(effective_resolution(o * np.nan, o))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 50, np.nan, "0.5", None])
def test_fractions_are_shares(fraction):
    sums = powers([1.0, 0.2])
    with pytest.raises(ValueError, match=r"between 0 and 1, such as 0\.5"):
        resolution_score(sums, fraction=fraction)
    o = field(noise((8, 8)))
    with pytest.raises(ValueError, match=r"between 0 and 1, such as 0\.5"):
        effective_resolution(o, o, fraction=fraction)


def test_resolution_needs_a_wave():
    small = field(noise((8, 8))).assign_coords(
        {dim: (dim, range(8), {"units": "m"}) for dim in ("y", "x")}
    )
    with pytest.raises(ValueError, match=r"0.001 x 0.001 km.*y and x in metres"):
        effective_resolution(small, small)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rain_is_transformed_in_its_network_numbers(dtype):
    values = np.array([0, -0.05, np.nan, 1e-30, 0.0086, 0.009, 0.1, 1, 100, 4000])
    scaling = scaling_for("rain_rate")
    numbers = quickly(scaling)(values.astype(dtype))
    assert numbers.dtype == dtype
    np.testing.assert_allclose(
        numbers, scaling.normalize(values.astype(dtype)), rtol=0, atol=1e-6
    )
