import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stormfusion.verification import csi, fss, fss_score, fss_sums, merge

FEW = settings(max_examples=25, deadline=None)

SCALES = (1, 3, 5, 99)


def field(values):
    values = np.asarray(values)
    return xr.DataArray(values, dims=("lead", "y", "x")[-values.ndim :])


def by_hand(p, o, scale):
    """Window by window, as the documentation says it."""
    half = scale // 2
    valid = ~np.isnan(p) & ~np.isnan(o)
    windows, numerator, denominator = 0, 0.0, 0.0
    for j, i in np.ndindex(p.shape):
        box = np.s_[max(j - half, 0) : j + half + 1, max(i - half, 0) : i + half + 1]
        inside = valid[box]
        if inside.sum() * 2 < inside.size:
            continue
        p_f, p_o = p[box][inside].mean(), o[box][inside].mean()
        windows += 1
        numerator += (p_f - p_o) ** 2
        denominator += p_f**2 + p_o**2
    return windows, numerator, denominator


EVENTS = hnp.arrays(
    np.float64,
    st.tuples(st.just(2), st.integers(1, 6), st.integers(1, 7)),
    elements=st.sampled_from([0.0, 0.0, 1.0, 1.0, np.nan]),
)


@FEW
@given(EVENTS)
def test_as_by_hand(sample):
    p, o = sample
    sums = fss_sums(field(p), field(o), scale=SCALES)
    for scale in SCALES:
        windows, numerator, denominator = by_hand(p, o, scale)
        one = sums.sel(scale=scale)
        assert one.fss_windows.item() == windows
        assert one.fss_numerator.item() == pytest.approx(numerator, abs=1e-9)
        assert one.fss_denominator.item() == pytest.approx(denominator, abs=1e-9)


@FEW
@given(EVENTS)
def test_at_the_scale_of_a_pixel_it_is_f1(sample):
    f, o = (field(s) for s in sample)
    c = csi(f, o, threshold=1)
    f1 = 2 * c / (1 + c)
    np.testing.assert_allclose(fss(f, o, threshold=1, scale=1), f1, atol=1e-12)


@FEW
@given(EVENTS)
def test_symmetric_and_perfect(sample):
    f, o = (field(s) for s in sample)
    there = fss_sums(f, o, scale=SCALES)
    back = fss_sums(o, f, scale=SCALES)
    symmetric = ["fss_windows", "fss_numerator", "fss_denominator", "fss_pixels"]
    xr.testing.assert_allclose(there[symmetric], back[symmetric])
    perfect = fss(o, o, scale=SCALES)
    assert np.all(np.isnan(perfect) | (perfect == 1))
    score = fss_score(there)
    assert np.all(np.isnan(score) | ((score >= -1e-12) & (score <= 1)))


@FEW
@given(EVENTS)
def test_sums_add_like_more_cases(sample):
    f, o = (field(s) for s in sample)
    two = xr.concat([f, f], "case"), xr.concat([o, o], "case")
    both = fss_sums(*two, scale=SCALES)
    one = fss_sums(f, o, scale=SCALES)
    xr.testing.assert_allclose(merge(one, one), both)


def test_displaced_rain_by_hand():
    observed, forecast = np.zeros((1, 9)), np.zeros((1, 9))
    observed[0, 4], forecast[0, 5] = 1, 1
    score = fss(field(forecast), field(observed), scale=[1, 3])
    # windows of 3: fractions 1/3 at 3, 4, 5 and at 4, 5, 6
    assert score.values == pytest.approx([0, 1 - 2 / 6])


def test_the_whole_domain_compares_frequencies():
    rng = np.random.default_rng(0)
    f, o = rng.random((2, 8, 9)) > np.array([0.7, 0.4])[:, None, None]
    expected = 2 * f.mean() * o.mean() / (f.mean() ** 2 + o.mean() ** 2)
    score = fss(field(f * 1.0), field(o * 1.0), threshold=1, scale=101)
    assert score.item() == pytest.approx(expected)


def test_no_event_is_nan():
    dry = field(np.zeros((4, 4)))
    assert np.isnan(fss(dry, dry, threshold=1, scale=[1, 3])).all()
    missing = field(np.full((4, 4), np.nan))
    assert np.isnan(fss(missing, dry, threshold=0, scale=3))
    assert fss_sums(missing, dry, threshold=0, scale=3).fss_windows.item() == 0


def test_sums_are_pooled_and_never_ratios():
    dry, wet = np.zeros((3, 3)), np.eye(3)
    forecast, observed = np.stack([dry, wet, wet]), np.stack([wet, wet, dry])
    score = fss(field(forecast), field(observed), scale=1, over=("lead", "y", "x"))
    assert score.item() == pytest.approx(1 - 6 / 12)
    by_lead = fss(field(forecast), field(observed), scale=1)
    assert by_lead.dims == ("lead",)
    assert by_lead.values.tolist() == [0, 1, 0]


def test_members_are_scored_by_the_fraction_of_them():
    values = np.array([[[0.0, 2.0]], [[2.0, 2.0]]])
    ensemble = xr.DataArray(values, dims=("member", "y", "x"))
    probability = field([[0.5, 1.0]])
    observed = field([[2.0, 0.0]])
    expected = fss(probability, field([[1.0, 0.0]]), scale=[1, 3])
    score = fss(ensemble, observed, threshold=1, scale=[1, 3])
    np.testing.assert_allclose(score, expected)
    assert score.sel(scale=1).item() == pytest.approx(1 - 1.25 / 2.25)


def test_labels():
    lead = np.array([5, 10], "timedelta64[m]")
    f = field(np.ones((2, 4, 5))).assign_coords(lead=lead, y=range(4), x=range(5))
    score = fss(f, f, threshold=[0.5, 1.0, 2.0], scale=[1, 3])
    assert score.dims == ("lead", "threshold", "scale")
    assert score.scale.values.tolist() == [1, 3]
    assert (score.sel(threshold=1.0) == 1).all()
    np.testing.assert_array_equal(score.lead, lead)
    assert fss(f, f, threshold=1, scale=3).dims == ("lead",)
    assert fss(f, f, threshold=1, scale=3).scale.item() == 3
    mixed = fss(f.transpose("x", "lead", "y"), f, threshold=0.5, scale=[3])
    assert (mixed == 1).all()


@pytest.mark.parametrize("scale", [2, 0, -1, [], [1, 4], 1.5, [3, 3], [[1]]])
def test_scales_are_odd(scale):
    f = field(np.ones((3, 3)))
    with pytest.raises(ValueError, match=r"odd widths in pixels.*\[1, 5, 17\]"):
        fss(f, f, threshold=1, scale=scale)


def test_fields_have_y_and_x():
    f = field(np.ones((3, 3))).rename(y="row")
    with pytest.raises(ValueError, match=r"rename the axes with \.rename"):
        fss(f, f, threshold=1, scale=1)
