import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.errors import GridMismatchError
from stormfusion.verification import merge, sal, sal_scores, sal_sums

FEW = settings(max_examples=30, deadline=None)
SAL = ("structure", "amplitude", "location")

FIELDS = hnp.arrays(
    np.float64,
    st.tuples(st.just(2), st.just(3), st.integers(2, 7), st.integers(2, 7)),
    elements=st.sampled_from([0.0, 0.0, 0.05, 0.5, 1.0, 9.0, np.nan]),
)


def field(values, **attrs):
    values = np.asarray(values)
    dims = ("time", "lead", "y", "x")[-values.ndim :]
    return xr.DataArray(values, dims=dims, attrs=attrs)


def on_grid(array, dy, dx):
    y, x = (np.arange(array.sizes[d]) * s for d, s in (("y", dy), ("x", dx)))
    return array.assign_coords(y=y, x=x)


def box(shape, y, x, size=(2, 2), value=5.0):
    rain = np.zeros(shape)
    rain[y : y + size[0], x : x + size[1]] = value
    return rain


def parts(forecast, observed, **options):
    scores = sal(forecast, observed, **options)
    return [scores[name].item() for name in SAL]


def test_a_displaced_object_by_hand():
    o = field(box((8, 6), 2, 1))
    f = field(box((8, 6), 5, 3))
    s, a, location = parts(f, o)
    assert (s, a) == (0, 0)
    assert location == pytest.approx(np.hypot(3, 2) / np.hypot(8, 6))


def test_amplitude_by_hand():
    o = field(box((8, 6), 2, 1))
    assert parts(3 * o, o)[:2] == pytest.approx([0, 1])
    assert parts(o, 3 * o)[:2] == pytest.approx([0, -1])
    assert parts(o * 1e6, o)[1] == pytest.approx(2, abs=1e-5)


def test_structure_by_hand():
    # a flat box of 2 x 3 has the volume 6, that of a peak of 2 beside two ones is 2
    flat = field(box((8, 6), 2, 1, (2, 3)))
    peak = np.zeros((8, 6))
    peak[2, 1:4] = 1, 2, 1
    s, a, _ = parts(flat, field(peak))
    assert s == pytest.approx((6 - 2) / 4)
    assert a == pytest.approx((30 - 4) / 17)


def test_two_objects_by_hand():
    # amounts 8 and 4, volumes 4 and 1: V = (8 * 4 + 4 * 1) / 12 = 3
    rain = box((1, 12), 0, 0, (1, 4), 2.0) + box((1, 12), 0, 9, (1, 1), 4.0)
    one = box((1, 12), 0, 4, (1, 3), 4.0)
    s, a, location = parts(field(rain), field(one))
    assert s == pytest.approx(0)
    assert a == pytest.approx(0)
    center = (8 * 1.5 + 4 * 9) / 12
    apart = (8 * abs(1.5 - center) + 4 * abs(9 - center)) / 12
    assert location == pytest.approx((abs(center - 5) + 2 * apart) / np.hypot(1, 12))


def test_objects_touch_at_corners():
    diagonal = np.eye(4)
    # one object of four pixels, not four of one
    assert parts(field(diagonal), field(box((4, 4), 1, 1, value=1.0)))[0] == 0


def test_the_threshold_of_objects():
    # weak rain links two peaks; it counts as an object only if the limit is low
    rain = np.array([[15.0, 1.0, 15.0, 0.0, 0.0]])
    three = field(np.array([[15.0, 1.0, 15.0, 0.0, 0.0]]))
    apart = field(np.array([[15.0, 0.0, 15.0, 0.0, 1.0]]))
    linked = parts(three, apart, threshold_factor=1 / 15, quantile=1.0)
    cut = parts(three, apart, threshold_factor=0.5, quantile=1.0)
    # 31 * 31 / 15 / 31 against (15 + 15 + 1 * 1) / 31, two peaks and a weak pixel
    volume = 31 / 15
    assert linked[0] == pytest.approx((volume - 1) / ((volume + 1) / 2))
    assert cut[0] == 0
    # a lower quantile lowers the limit
    low = parts(three, apart, threshold_factor=0.5, quantile=0.0)
    assert low[0] == pytest.approx(linked[0])
    assert rain.max() == 15


def test_wet_pixels_only_make_the_quantile():
    rain = box((20, 20), 4, 4, value=15.0)
    drizzle = rain + 0.05
    f, o = field(drizzle), field(rain)
    assert parts(f, o)[0] == 0
    # as wet pixels they lower the threshold until all is one object
    assert parts(f, o, wet=0.01)[0] > 0.2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pixel_of_just_the_wet_value_is_wet(dtype):
    # 0.7 in float32 is less than 0.7
    drizzle = field(box((5, 5), 1, 1, value=0.7).astype(dtype))
    assert sal(drizzle, drizzle, wet=np.float64(0.7)).maps == 1
    assert sal(drizzle, drizzle, wet=0.71).maps == 0


def test_pixels_need_not_be_square():
    o, f = (field(box((8, 6), y, x)) for y, x in ((2, 1), (5, 3)))
    wide = [on_grid(a, 500.0, 2000.0) for a in (f, o)]
    location = np.hypot(3 * 0.5, 2 * 2) / np.hypot(8 * 0.5, 6 * 2)
    assert parts(*wide)[2] == pytest.approx(location)
    assert parts(f, o)[2] != pytest.approx(location)
    # the scale of the grid does not matter, its shape does
    large = [on_grid(a, 5000.0, 20000.0) for a in (f, o)]
    assert parts(*large)[2] == pytest.approx(location)
    assert "comment" in sal_sums(f, o).attrs
    assert "comment" not in sal_sums(*wide).attrs


def test_location_is_at_most_2():
    f, o = np.zeros((1, 50)), np.zeros((1, 50))
    f[0, 0], o[0, -1] = 1, 1
    assert parts(field(f), field(o))[2] == pytest.approx(1, abs=0.03)
    # two far apart beside one in the middle
    both = np.zeros((1, 51))
    both[0, [0, -1]] = 1
    middle = np.zeros((1, 51))
    middle[0, 25] = 1
    assert parts(field(both), field(middle))[2] == pytest.approx(1, abs=0.03)


def test_missing_pixels_are_left_out_of_both():
    rng = np.random.default_rng(0)
    f, o = rng.gamma(0.5, 3, (2, 12, 13))
    hole = rng.random((2, 12, 13)) < 0.2
    gone = hole.any(0)
    with_gaps = parts(field(np.where(hole[0], np.nan, f)), field(o * 1.0))
    same = parts(field(np.where(hole[0], 0, f)), field(np.where(hole[0], 0, o)))
    assert with_gaps == same
    both = [field(np.where(h, np.nan, v)) for h, v in zip(hole, (f, o), strict=True)]
    dry = [field(np.where(gone, 0, v)) for v in (f, o)]
    assert parts(*both) == parts(*dry)
    infinite = field(np.where(hole[0], np.inf, f))
    assert parts(infinite, field(o)) == with_gaps


@pytest.mark.parametrize("dry", [0.0, 0.09, np.nan])
def test_a_dry_field_has_no_score(dry):
    rain = field(box((5, 5), 1, 1))
    nothing = field(np.full((5, 5), dry))
    for f, o in ((rain, nothing), (nothing, rain), (nothing, nothing)):
        scores = sal(f, o)
        assert scores.maps == 0
        assert all(np.isnan(scores[name]) for name in SAL)


def test_maps_are_averaged_not_pooled():
    o = np.stack([box((6, 6), 1, 1), box((6, 6), 2, 3), np.zeros((6, 6))])
    f = o * np.array([3.0, 1 / 3, 1.0])[:, None, None]
    by_map = sal(field(f), field(o), over=())
    np.testing.assert_allclose(by_map.amplitude, [1, -1, np.nan])
    np.testing.assert_array_equal(by_map.maps, [1, 1, 0])
    assert by_map.structure.dims == ("lead",)
    mean = sal(field(f), field(o), over="lead")
    assert mean.amplitude == pytest.approx(0)
    assert mean.amplitude_absolute == pytest.approx(1)
    assert mean.structure_absolute == pytest.approx(0)
    assert mean.maps == 2


@FEW
@given(FIELDS)
def test_states_add(sample):
    f, o = (field(s) for s in sample)
    whole = sal_sums(f, o, over="lead")
    states = [sal_sums(f[[i]], o[[i]], over="lead") for i in range(3)]
    xr.testing.assert_allclose(merge(*states), whole)
    xr.testing.assert_allclose(sal_sums(f, o).sum("lead"), whole)
    xr.testing.assert_allclose(sal_scores(whole), sal(f, o, over="lead"))


@FEW
@given(FIELDS)
def test_ranges_and_perfection(sample):
    f, o = (field(s) for s in sample)
    scores = sal(f, o)
    counts = scores.maps > 0
    for name, most in zip(SAL, (2, 2, 2), strict=True):
        assert (scores[name].notnull() == counts).all()
        assert (abs(scores[name].fillna(0)) <= most + 1e-9).all()
    assert (scores.location.fillna(0) >= 0).all()
    perfect = sal(o, o)
    for name in SAL:
        assert (perfect[name].fillna(0) == 0).all()
    back = sal(o, f)
    np.testing.assert_allclose(back.structure, -scores.structure, atol=1e-12)
    np.testing.assert_allclose(back.amplitude, -scores.amplitude, atol=1e-12)
    np.testing.assert_allclose(back.location, scores.location, atol=1e-12)


@FEW
@given(FIELDS, st.booleans())
def test_directions_do_not_matter(sample, flip):
    f, o = (field(s[0]) for s in sample)
    turned = [a[::-1] if flip else a.transpose("x", "y") for a in (f, o)]
    here = sal(f, o)
    there = sal(*(field(a.values) for a in turned))
    for name in SAL:
        np.testing.assert_allclose(here[name], there[name], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32])
def test_any_kind_of_number(dtype):
    o = np.random.default_rng(0).integers(0, 5, (9, 11))
    f = np.roll(o, 2, axis=1)
    expected = parts(field(f * 1.0), field(o * 1.0))
    kind = parts(field(f.astype(dtype)), field(o.astype(dtype)))
    assert kind == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_dask_is_numpy():
    o = np.random.default_rng(0).gamma(0.3, 3, (2, 3, 12, 14))
    f, o = field(np.roll(o, 1, axis=-1)), field(o)
    f[0, 1, 3] = np.nan
    expected = sal_sums(f, o)
    chunks = {"time": 1, "lead": 2, "y": 5}

    def refuse(*_, **__):
        raise AssertionError("computed too soon")

    with dask.config.set(scheduler=refuse):
        lazy = sal_sums(f.chunk(chunks), o.chunk(chunks))
        scores = sal_scores(lazy)
    xr.testing.assert_allclose(lazy.compute(), expected)
    xr.testing.assert_allclose(scores.compute(), sal(f, o))


def test_bad_input():
    f = field(box((5, 5), 1, 1))
    for options, match in (
        ({"threshold_factor": 0}, "share of the quantile"),
        ({"threshold_factor": 1.5}, "share of the quantile"),
        ({"threshold_factor": np.nan}, "share of the quantile"),
        ({"quantile": 95}, "from 0 to 1, such as 0.95"),
        ({"quantile": -0.1}, "from 0 to 1, such as 0.95"),
        ({"wet": 0.0}, "more than 0, such as 0.1"),
        ({"wet": np.nan}, "more than 0, such as 0.1"),
    ):
        with pytest.raises(ValueError, match=match):
            sal(f, f, **options)
    with pytest.raises(ValueError, match=r"got -1; convert reflectivity"):
        sal(f - 1, f)
    with pytest.raises(ValueError, match=r"got -1; convert reflectivity"):
        sal(f, f - 1)
    with pytest.raises(ValueError, match=r"dimensions y and x, .*\.rename"):
        sal(f.rename(y="row"), f.rename(y="row"))
    with pytest.raises(GridMismatchError, match="differ in x"):
        sal(f, f[:, 1:])
    with pytest.raises(ValueError, match="this score is of one forecast"):
        sal(f.expand_dims("member"), f)


def test_what_comes_in_stays_as_it_was():
    f = field(np.where(np.eye(5) > 0, np.nan, 2.0))
    before = f.copy(deep=True)
    sal(f, f)
    xr.testing.assert_identical(f, before)
