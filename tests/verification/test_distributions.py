import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion.verification import (
    error_distribution,
    error_quantiles,
    merge_distributions,
    reservoir,
)
from stormfusion.verification.distributions import percentiles

LEAD = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")


def field(seed, *, cases=6, labels=True, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.gamma(0.5, 4, (cases, 2, 7, 8))
    values[rng.random(values.shape) < missing] = np.nan
    array = xr.DataArray(
        values,
        dims=("case", "lead", "y", "x"),
        coords={"lead": LEAD, "y": np.arange(7.0), "x": np.arange(8.0)},
        attrs={"units": "mm h-1"},
    )
    return (
        array.assign_coords(case=[f"c{i}" for i in range(cases)]) if labels else array
    )


def drawn(distribution, **place):
    """The errors of a sample, without its empty places."""
    values = distribution.error.sel(place).values
    return values[~np.isnan(values)]


def test_few_errors_are_all_kept_and_counted():
    forecast, observed = field(1, missing=0.2), field(2, missing=0.2)
    found = error_distribution(forecast, observed, samples=400)
    assert found.error.dims == found.key.dims == ("lead", "sample")
    for lead in LEAD:
        errors = (forecast - observed).sel(lead=lead).values
        errors = errors[~np.isnan(errors)]
        assert found["count"].sel(lead=lead) == errors.size
        np.testing.assert_array_equal(np.sort(drawn(found, lead=lead)), np.sort(errors))
    assert found["count"].dtype == np.int64
    assert found.key.dtype == np.uint64
    assert found.error.attrs == {"long_name": "forecast - observed", "units": "mm h-1"}
    empty = found.error.isnull()
    assert (found.key.where(empty, 2**64 - 1) == 2**64 - 1).all()


def test_many_errors_are_sampled_without_repetition():
    forecast = xr.DataArray(np.arange(100_000.0).reshape(2, -1), dims=("lead", "x"))
    found = error_distribution(forecast, 0 * forecast, samples=1000)
    assert (found["count"] == 50_000).all()
    for lead in range(2):
        values = found.error.isel(lead=lead).values
        assert np.unique(values).size == 1000
        # uniform over all pairs, in ten classes of about a hundred
        counts = np.histogram(values - 50_000 * lead, 10, (0, 50_000))[0]
        assert ((counts - 100) ** 2 / 100).sum() < 27.9  # 99.9 % of chi-squared
    assert set(found.error.values[0]) != set(found.error.values[1] - 50_000)


def test_each_pair_is_as_likely():
    forecast = xr.DataArray(np.arange(12.0).reshape(3, 4), dims=("y", "x"))
    times = np.zeros(12)
    for seed in range(600):
        found = error_distribution(forecast, 0 * forecast, samples=3, seed=seed)
        times[found.error.values.astype(int)] += 1
    assert times.sum() == 1800
    assert ((times - 150) ** 2 / 150).sum() < 31.3  # 99.9 % of chi-squared


def test_seeds_draw_other_samples():
    forecast, observed = field(1), field(2)
    one, same, other = (
        error_distribution(forecast, observed, samples=20, seed=seed)
        for seed in (0, 0, 1)
    )
    xr.testing.assert_identical(one, same)
    assert not np.isin(one.error.values, other.error.values).all()


def test_the_order_of_dimensions_and_cases_does_not_matter():
    forecast, observed = field(1, missing=0.1), field(2, missing=0.1)
    found = error_distribution(forecast, observed, samples=50)
    order = [3, 1, 0, 5, 2, 4]
    for f, o in (
        (forecast.transpose("x", "lead", "case", "y"), observed),
        (forecast, observed.transpose("x", "case", "y", "lead")),
        (forecast.isel(case=order), observed.isel(case=order)),
        (
            forecast.isel(y=slice(None, None, -1)),
            observed.isel(y=slice(None, None, -1)),
        ),
    ):
        other = error_distribution(f, o, samples=50)
        xr.testing.assert_identical(found, other)


@pytest.mark.parametrize("block", [1, 7, 60, 400])
def test_blocks_do_not_matter(block, monkeypatch):
    forecast, observed = field(1, missing=0.1), field(2)
    found = error_distribution(forecast, observed, samples=30)
    monkeypatch.setattr(reservoir, "BLOCK", block)
    xr.testing.assert_identical(
        found, error_distribution(forecast, observed, samples=30)
    )


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 2), min_size=6, max_size=6),
    st.sampled_from([5, 40, 1000]),
    st.floats(0, 1),
)
def test_samples_merge_into_that_of_all_cases(parts, samples, missing):
    forecast, observed = field(1, missing=missing), field(2)
    whole = error_distribution(forecast, observed, samples=samples)
    each = [
        error_distribution(
            forecast.isel(case=np.flatnonzero(np.equal(parts, part))),
            observed.isel(case=np.flatnonzero(np.equal(parts, part))),
            samples=samples,
        )
        for part in set(parts)
    ]
    xr.testing.assert_identical(merge_distributions(*each), whole)
    xr.testing.assert_identical(merge_distributions(*reversed(each)), whole)


def test_single_cases_are_told_apart_by_their_name():
    forecast, observed = field(1), field(2)
    whole = error_distribution(forecast, observed, samples=50)
    each = [
        error_distribution(
            forecast.sel(case=case, drop=True),
            observed.sel(case=case, drop=True),
            samples=50,
            case=case,
        )
        for case in observed.case.values
    ]
    merged = merge_distributions(*each)
    xr.testing.assert_identical(merged, whole)
    pairwise = merge_distributions(
        merge_distributions(*each[:2]), merge_distributions(*each[2:])
    )
    xr.testing.assert_identical(pairwise, whole)


def test_the_same_pairs_are_not_merged_twice():
    one = error_distribution(field(1), field(2), samples=20)
    with pytest.raises(ValueError, match="another case to each"):
        merge_distributions(one, one)
    nameless = [f.isel(case=0, drop=True) for f in (field(1), field(2))]
    other = [f.isel(case=1, drop=True) for f in (field(1), field(2))]
    with pytest.raises(ValueError, match="another case to each"):
        merge_distributions(error_distribution(*nameless), error_distribution(*other))


def test_only_samples_of_one_kind_merge():
    forecast, observed = field(1), field(2)
    first = forecast.isel(case=[0]), observed.isel(case=[0])

    def draw(**options):
        return error_distribution(*first, **({"samples": 20} | options))

    rest = error_distribution(
        forecast.isel(case=[1]), observed.isel(case=[1]), samples=20
    )
    for options, told in (
        ({"samples": 21}, "samples differ"),
        ({"seed": 3}, "seed differ"),
        ({"threshold": 1.0}, "threshold differ"),
    ):
        with pytest.raises(ValueError, match=told):
            merge_distributions(draw(**options), rest)
    inches = draw()
    inches["error"].attrs["units"] = "inch h-1"
    with pytest.raises(ValueError, match="units differ"):
        merge_distributions(inches, rest)
    with pytest.raises(ValueError, match="pass one or more"):
        merge_distributions()
    xr.testing.assert_identical(merge_distributions(rest), rest)


def test_forecasts_on_the_same_pixels_are_compared_on_the_same_pixels():
    observed = field(2)
    one, other = (
        error_distribution(f, observed, samples=30) for f in (field(1), field(3))
    )
    xr.testing.assert_equal(one.key, other.key)


def test_missing_pairs_are_neither_drawn_nor_counted():
    forecast, observed = field(1), field(2)
    gaps = observed.where(observed.x > 2)
    found = error_distribution(forecast, gaps, samples=1000)
    other = error_distribution(
        forecast.isel(x=slice(3, None)), observed.isel(x=slice(3, None)), samples=1000
    )
    xr.testing.assert_identical(found, other)
    none = error_distribution(forecast * np.nan, observed, samples=10)
    assert (none["count"] == 0).all()
    assert none.error.isnull().all()


def test_dry_pairs_are_left_out():
    forecast = xr.DataArray([0.0, 0.0, 2.0, 1.0, np.nan], dims="x")
    observed = xr.DataArray([0.0, 1.0, 0.0, 3.0, 5.0], dims="x")
    found = error_distribution(forecast, observed, samples=5, threshold=1)
    assert sorted(drawn(found)) == [-2, -1, 2]
    assert found["count"] == 3
    assert found.attrs["threshold"] == 1
    every = error_distribution(forecast, observed, samples=5, threshold=0)
    assert every["count"] == 4


def test_bytes_are_subtracted_as_numbers():
    forecast = xr.DataArray(np.array([3, 200], np.uint8), dims="x")
    observed = xr.DataArray(np.array([5, 10], np.uint8), dims="x")
    found = error_distribution(forecast, observed, samples=2, threshold=4.5)
    assert sorted(drawn(found)) == [-2, 190]


def test_by_other_dimensions_and_by_coordinates():
    stages = ["growth", "decay", "growth", "mature", None, "decay"]
    forecast, observed = field(1), field(2).assign_coords(stage=("case", stages))
    alone = error_distribution(forecast, observed, by=(), samples=2000)
    assert alone.error.dims == ("sample",)
    assert alone["count"] == 6 * 2 * 56
    by_case = error_distribution(forecast, observed, by=["case", "lead"], samples=100)
    assert by_case.error.dims == ("case", "lead", "sample")
    assert (by_case["count"] == 56).all()
    by_stage = error_distribution(forecast, observed, by=["stage", "lead"], samples=200)
    assert by_stage.error.dims == ("stage", "lead", "sample")
    assert by_stage.stage.values.tolist() == ["decay", "growth", "mature"]
    for stage in ("decay", "growth", "mature"):
        some = np.flatnonzero([one == stage for one in stages])
        other = error_distribution(
            forecast.isel(case=some), observed.isel(case=some), samples=200
        )
        one = by_stage.sel(stage=stage, drop=True)
        xr.testing.assert_equal(one, other)
    single = error_distribution(forecast, observed, by="stage", samples=10)
    assert single.error.dims == ("stage", "sample")


def test_a_stage_that_one_part_lacks_has_no_pairs_there():
    stages = ["growth", "growth", "growth", "decay", "decay", "decay"]
    forecast, observed = field(1), field(2).assign_coords(stage=("case", stages))
    whole = error_distribution(forecast, observed, by="stage", samples=30)
    halves = [
        error_distribution(
            forecast.isel(case=part), observed.isel(case=part), by="stage", samples=30
        )
        for part in (slice(2), slice(2, 6))
    ]
    xr.testing.assert_identical(merge_distributions(*halves), whole)


def test_without_labels_places_are_counted():
    forecast, observed = (field(i, labels=False) for i in (1, 2))
    bare = [f.drop_vars(["lead", "x", "y"]) for f in (forecast, observed)]
    found = error_distribution(*bare, samples=1000)
    assert (found["count"] == 6 * 56).all()
    assert "lead" not in found.coords


def test_what_cannot_be_drawn_is_refused():
    forecast, observed = field(1), field(2)
    for samples in (0, -5, 2.5, True):
        with pytest.raises(ValueError, match=r"samples is .*whole number"):
            error_distribution(forecast, observed, samples=samples)
    for threshold in (np.nan, np.inf, "1"):
        with pytest.raises(ValueError, match=r"threshold is .*finite number"):
            error_distribution(forecast, observed, threshold=threshold)
    with pytest.raises(ValueError, match=r"cannot keep \['stage'\] apart"):
        error_distribution(forecast, observed, by="stage")
    staged = observed.assign_coords(stage=("case", list("aabbcc")))
    with pytest.raises(ValueError, match="stage lies along case"):
        error_distribution(forecast, staged, by=["stage", "case"])
    lost = observed.assign_coords(stage=("case", [None] * 6))
    with pytest.raises(ValueError, match="every label of stage is missing"):
        error_distribution(forecast, lost, by="stage")
    with pytest.raises(ValueError, match=r"assign_coords\(case"):
        error_distribution(forecast, observed, case="c1")
    twice = [f.assign_coords(case=list("aabcde")) for f in (forecast, observed)]
    with pytest.raises(ValueError, match="'a' more than once"):
        error_distribution(*twice)
    ensemble = forecast.expand_dims(member=2)
    with pytest.raises(ValueError, match=r"mean\('member'\)"):
        error_distribution(ensemble, observed)


@pytest.mark.parametrize(
    "labels",
    [
        pd.date_range("2020", periods=6),
        pd.timedelta_range("1h", periods=6),
        np.arange(6),
        np.arange(6) / 7,
        list("abcdef"),
        [None, 1, "b", 2.5, (1, 2), "x"],
    ],
)
def test_labels_of_every_kind(labels):
    index = pd.Index(labels, tupleize_cols=False)
    numbers = reservoir.hashed(index)
    assert np.unique(numbers).size == 6
    np.testing.assert_array_equal(reservoir.hashed(index[3:]), numbers[3:])
    assert not np.isin(reservoir.hashed(index, "other"), numbers).any()


def test_times_hash_alike_in_every_unit_and_zero_has_no_sign():
    times = np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")
    for unit in ("s", "ns"):
        np.testing.assert_array_equal(
            reservoir.hashed(times), reservoir.hashed(times.astype(f"M8[{unit}]"))
        )
    assert reservoir.hashed([0.0]) == reservoir.hashed([-0.0])


def mixed(z):
    """The finalizer of SplitMix64, with numbers of any length."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def test_keys_are_the_same_on_every_machine():
    salt = int("1dc3f6ca7f18f9f5", 16)
    halves = np.array([0.5]).view(np.uint64).item()
    found = [reservoir.hashed(labels, "case").item() for labels in ([7], [-1], [0.5])]
    assert found == [mixed(bits ^ salt) for bits in (7, 2**64 - 1, halves)]
    letter = int("40f89e395b66422f", 16)
    assert reservoir.hashed(["a"], "case").item() == mixed(letter ^ salt)


# --- quantiles


def test_quantiles_are_those_of_the_errors():
    forecast, observed = field(1, missing=0.2), field(2)
    found = error_distribution(forecast, observed, samples=1000)
    levels = [0.0, 0.1, 0.5, 1.0]
    quantiles = error_quantiles(found, levels)
    expected = (forecast - observed).quantile(levels, ["case", "y", "x"])
    np.testing.assert_allclose(quantiles.transpose(*expected.dims), expected)
    assert quantiles.attrs["units"] == "mm h-1"
    assert quantiles["quantile"].values.tolist() == levels
    none = error_distribution(forecast * np.nan, observed, samples=10)
    assert error_quantiles(none).isnull().all()
    for wrong in ([0.5, 1.1], [-0.1], 0.5, [np.nan]):
        with pytest.raises(ValueError, match="probabilities in 0 to 1"):
            error_quantiles(found, wrong)


def test_percentiles_know_infinity_and_nothing():
    values = np.array(
        [[1.0, np.nan, -np.inf], [np.inf, np.nan, 2.0], [3.0, np.nan, 4.0]]
    )
    found = percentiles(values, np.array([0.0, 0.25, 0.5, 1.0]))
    np.testing.assert_array_equal(
        found,
        [
            [1.0, np.nan, -np.inf],
            [2.0, np.nan, -np.inf],
            [3.0, np.nan, 2.0],
            [np.inf, np.nan, 4.0],
        ],
    )


# --- Dask


@pytest.mark.parametrize("chunks", [{"case": 2, "x": 3}, {"lead": 1}, {}])
@pytest.mark.parametrize("by", [None, (), ["case", "lead", "y", "x"]])
def test_on_dask_lazily_and_the_same(chunks, by):
    forecast, observed = field(1, missing=0.1), field(2, missing=0.1)
    options = {"samples": 25, "threshold": 0.5, "by": by}
    found = error_distribution(forecast.chunk(chunks), observed.chunk(), **options)
    for name in ("error", "key", "count"):
        assert found[name].chunks is not None
    expected = error_distribution(forecast, observed, **options)
    xr.testing.assert_identical(found.compute(), expected)
    one_sided = error_distribution(forecast.chunk(chunks), observed, **options)
    xr.testing.assert_identical(one_sided.compute(), expected)


def test_on_dask_they_merge_lazily():
    forecast, observed = (
        field(1),
        field(2).assign_coords(stage=("case", list("aabbab"))),
    )
    for by in (None, "stage"):
        whole = error_distribution(forecast, observed, by=by, samples=40)
        parts = [
            error_distribution(
                forecast.isel(case=part).chunk(case=1),
                observed.isel(case=part).chunk(case=1),
                by=by,
                samples=40,
            )
            for part in (slice(3), slice(3, 6))
        ]
        merged = merge_distributions(*parts)
        assert merged.error.chunks is not None
        xr.testing.assert_identical(merged.compute(), whole)
        quantiles = error_quantiles(merged)
        assert quantiles.chunks is not None
        xr.testing.assert_allclose(quantiles.compute(), error_quantiles(whole))
    twice = merge_distributions(parts[0], parts[0])
    with pytest.raises(ValueError, match="the same pairs"):
        twice.compute()
