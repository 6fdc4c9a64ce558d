import numpy as np
import pytest
import xarray as xr

from stormfusion.verification import (
    GOALS,
    Goal,
    bootstrap,
    categorical_scores,
    contingency,
    crps_score,
    error_scores,
    error_sums,
    fss_score,
    fss_sums,
    resampling,
)

OVER = ("y", "x")
COUNTS = ("hits", "misses", "false_alarms", "correct_negatives")
LEAD = np.array([5, 10], "timedelta64[m]").astype("timedelta64[ns]")


def csi(sums):
    return categorical_scores(sums).csi


def mean(sums):
    return sums["sum"] / sums["count"]


def states_of(values, **coords):
    """States whose score is a mean."""
    values = np.asarray(values, float)
    dims = ("case", "series")[: values.ndim]
    return xr.Dataset(
        {"sum": (dims, values), "count": (dims, np.ones(values.shape, np.int64))},
        coords={name: ("case", value) for name, value in coords.items()},
    )


@pytest.fixture
def fields():
    rng = np.random.default_rng(1)

    def field():
        values = rng.gamma(0.5, 4, (40, 2, 5, 6))
        dims = ("case", "lead", "y", "x")
        return xr.DataArray(values, dims=dims, coords={"lead": LEAD})

    observed = field()
    return observed, {"unet": 0.8 * observed + 0.2 * field(), "persistence": field()}


@pytest.fixture
def tables(fields):
    observed, forecasts = fields
    each = [
        contingency(forecast, observed, threshold=[1, 4], over=OVER)
        for forecast in forecasts.values()
    ]
    return xr.concat(each, "forecast").assign_coords(forecast=list(forecasts))


def autocorrelated(rng, n, series, rho):
    noise = rng.standard_normal((n, series))
    values = np.empty_like(noise)
    values[0] = noise[0] / np.sqrt(1 - rho**2)
    for t in range(1, n):
        values[t] = rho * values[t - 1] + noise[t]
    return values


# --- the interval


def test_the_interval_covers_dependent_cases_and_naive_draws_do_not():
    values = autocorrelated(np.random.default_rng(5), 400, 500, 0.5)
    covered = {}
    for block in (None, 1):
        found = bootstrap(states_of(values), mean, block=block, samples=300)
        covered[block] = float(((found.lower <= 0) & (found.upper >= 0)).mean())
    assert found.attrs["block"] == 1
    assert 0.82 < covered[None] < 0.95
    assert covered[1] < 0.72


def test_independent_cases_are_covered_too():
    values = np.random.default_rng(3).exponential(1.0, (100, 500))
    found = bootstrap(states_of(values), mean, block=1, samples=300)
    assert 0.85 < ((found.lower <= 1) & (found.upper >= 1)).mean() < 0.94


def test_single_draws_are_those_of_scipy():
    from scipy import stats

    values = np.random.default_rng(2).gamma(2, 1, 80)
    found = bootstrap(states_of(values), mean, block=1, samples=20_000, level=0.8)
    other = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=0.8,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    width = other.high - other.low
    assert abs(found.lower - other.low) < 0.03 * width
    assert abs(found.upper - other.high) < 0.03 * width


def test_each_case_is_drawn_as_often_and_every_sample_is_as_large():
    drawn = []

    def watch(sums):
        if "sample" in sums.dims:
            drawn.append(sums)
        return mean(sums)

    states = states_of(np.eye(43))
    bootstrap(states, watch, block=4, samples=2000)
    counts = xr.concat(drawn, "sample")
    assert (counts["count"] == 43).all()
    assert counts["count"].dtype == np.int64
    assert (counts["sum"].sum("series") == 43).all()
    # circular: those at the ends are drawn as often as others
    np.testing.assert_allclose(counts["sum"].mean("sample"), 1.0, atol=0.15)


@pytest.mark.filterwarnings("ignore:20 cases make 2 blocks")
def test_draws_are_of_neighbours():
    drawn = []

    def watch(sums):
        drawn.append(sums["sum"])
        return mean(sums)

    bootstrap(states_of(np.eye(20)), watch, block=10, samples=200)
    counts = drawn[1].values
    # two runs of ten: where one starts or ends the count changes
    steps = np.abs(np.roll(counts, 1, axis=1) - counts).sum(axis=1)
    assert steps.max() <= 4
    assert counts.sum() == 200 * 20


def test_a_constant_score_has_no_width():
    found = bootstrap(states_of(np.full(40, 2.5)), mean)
    assert (found.lower, found.estimate, found.upper) == (2.5, 2.5, 2.5)


def test_the_estimate_is_the_score_of_all_cases(fields, tables):
    observed, forecasts = fields
    found = bootstrap(tables, csi)
    for name, forecast in forecasts.items():
        table = contingency(forecast, observed, threshold=[1, 4])
        expected = categorical_scores(table).csi
        xr.testing.assert_allclose(
            found.estimate.sel(forecast=name, drop=True), expected
        )
    assert found.estimate.dims == ("forecast", "lead", "threshold")
    assert (found.lower < found.estimate).all()
    assert (found.estimate < found.upper).all()
    assert found.estimate.attrs["long_name"] == "critical success index"
    words = "lower end of the 90 % interval of the critical success index"
    assert found.lower.attrs == {"long_name": words, "units": "1"}
    np.testing.assert_array_equal(found.lead, LEAD)


def test_a_wider_level_is_wider(tables):
    narrow, wide = (bootstrap(tables, csi, level=level) for level in (0.5, 0.95))
    assert (wide.upper - wide.lower > narrow.upper - narrow.lower).all()


def test_seeds_make_it_the_same_and_batches_do_not_change_it(tables, monkeypatch):
    found = bootstrap(tables, csi, samples=200)
    xr.testing.assert_identical(found, bootstrap(tables, csi, samples=200))
    other = bootstrap(tables, csi, samples=200, seed=1)
    assert not np.allclose(found.lower, other.lower)
    monkeypatch.setattr(resampling, "NUMBERS", 40 * 37)
    xr.testing.assert_allclose(found, bootstrap(tables, csi, samples=200))


def test_the_states_of_other_scores(fields):
    observed, forecasts = fields
    forecast = forecasts["unet"]
    errors = error_sums(forecast, observed, over=OVER)
    found = bootstrap(errors, lambda sums: error_scores(sums).rmse)
    assert (found.lower < found.upper).all()
    fractions = fss_sums(forecast, observed, threshold=2, scale=[1, 3], over=OVER)
    found = bootstrap(fractions, fss_score)
    assert set(found.estimate.dims) == {"lead", "scale"}
    assert ((found.lower > 0) & (found.upper < 1)).all()


def test_several_scores_stand_beside_each_other(tables):
    found = bootstrap(tables, lambda s: categorical_scores(s)[["csi", "bias"]])
    alone = bootstrap(tables, csi)
    some = found.sel(score="csi").drop_vars(["score", "units"])
    for name in ("estimate", "lower", "upper", "undefined"):
        xr.testing.assert_equal(some[name].transpose(*alone[name].dims), alone[name])
    errors = xr.Dataset(
        {"sum": ("case", np.arange(40.0)), "count": ("case", np.ones(40, int))}
    )

    def two(sums):
        share = mean(sums).assign_attrs(units="mm")
        return xr.Dataset({"one": share, "other": 2 * share})

    assert bootstrap(errors, two).units.values.tolist() == ["mm", "mm"]


# --- events


def test_events_are_drawn_whole():
    events = np.repeat(np.arange(30), 4)
    values = np.repeat(np.random.default_rng(0).standard_normal(30), 4)
    found = bootstrap(states_of(values, event=events), mean, block=1)
    of_events = bootstrap(states_of(values[::4]), mean, block=1)
    np.testing.assert_allclose(found.lower, of_events.lower)
    np.testing.assert_allclose(found.upper, of_events.upper)
    cases = bootstrap(states_of(values), mean, block=1)
    assert (found.upper - found.lower) > 1.6 * (cases.upper - cases.lower)
    assert "events, of 30" in found.attrs["comment"]


def test_cases_of_an_event_need_not_follow_each_other():
    values = np.random.default_rng(0).standard_normal(60)
    events = np.tile([f"storm {i}" for i in range(30)], 2)
    apart = states_of(values, event=events)
    together = apart.isel(case=np.argsort(np.arange(60) % 30, kind="stable"))
    xr.testing.assert_allclose(bootstrap(apart, mean), bootstrap(together, mean))


def test_an_event_without_a_name_is_refused():
    events = np.array([1.0, np.nan] * 20)
    with pytest.raises(ValueError, match=r"drop_vars\('event'\)"):
        bootstrap(states_of(np.arange(40), event=events), mean)


# --- two forecasts


def test_a_difference_is_that_of_the_same_draws(tables):
    found = bootstrap(tables, csi, against="persistence")
    both = bootstrap(tables, csi).estimate
    assert found.forecast.values.tolist() == ["unet"]
    difference = both.sel(forecast="unet") - both.sel(forecast="persistence")
    np.testing.assert_allclose(found.estimate.sel(forecast="unet"), difference)
    assert (found.better == 1).all()
    words = "critical success index less that of persistence"
    assert found.estimate.attrs["long_name"] == words
    assert found.better.attrs["long_name"] == "share of samples better than persistence"


def test_what_is_hard_for_all_cancels_out():
    rng = np.random.default_rng(0)
    hard = rng.gamma(1, 10, 60)
    values = np.stack([hard, hard + 0.5 + 0.1 * rng.standard_normal(60)])
    states = xr.Dataset(
        {"sum": (("forecast", "case"), values), "count": ("case", np.ones(60, int))},
        coords={"forecast": ["unet", "persistence"]},
    )
    alone = bootstrap(states, mean)
    pair = bootstrap(states, mean, against="persistence", goal=Goal(0.0, "lower"))
    assert (alone.lower.max() - alone.upper.min()) < 0
    assert pair.upper < 0
    assert pair.better == 1


def test_the_better_way_is_that_of_the_score(tables):
    for name, better in {"csi": 1, "far": 1, "pofd": 1, "bias": None}.items():
        found = bootstrap(
            tables, lambda s, n=name: categorical_scores(s)[n], against="persistence"
        )
        if better is None:
            assert ((found.better >= 0) & (found.better <= 1)).all()
        else:
            assert found.better.sel(forecast="unet").min() > 0.99, name
    turned = bootstrap(tables, csi, against="unet").better
    assert (turned == 0).all()


def test_equal_forecasts_are_a_tie(tables):
    same = tables.sel(forecast=["unet", "unet"]).assign_coords(forecast=["a", "b"])
    found = bootstrap(same, csi, against="b")
    assert (found.better == 0.5).all()
    assert ((found.lower == 0) & (found.upper == 0)).all()


def test_the_goal_is_found_by_name_of_score_or_function_or_told(fields):
    observed, forecasts = fields
    each = [
        fss_sums(f, observed, threshold=2, scale=3, over=OVER)
        for f in forecasts.values()
    ]
    states = xr.concat(each, "forecast").assign_coords(forecast=list(forecasts))
    by_name = bootstrap(states, fss_score, against="persistence")
    assert (by_name.better == 1).all()
    lambda_score = lambda sums: fss_score(sums)  # noqa: E731, PLW0108
    with pytest.raises(ValueError, match="which way is better"):
        bootstrap(states, lambda_score, against="persistence")
    with pytest.raises(ValueError, match=r"\['beauty'\]; pass goal"):
        bootstrap(states, fss_score, against="persistence", goal="beauty")
    for goal in ("fss", GOALS["fss"]):
        told = bootstrap(states, lambda_score, against="persistence", goal=goal)
        xr.testing.assert_identical(told, by_name)
    worst = bootstrap(states, fss_score, against="persistence", goal=Goal(0.0, "lower"))
    assert (worst.better == 0).all()
    assert crps_score.__name__.removesuffix("_score") in GOALS


def test_of_several_scores_each_has_its_goal(tables):
    def scores(sums):
        return categorical_scores(sums)[["csi", "far"]].assign(beauty=csi(sums))

    found = bootstrap(tables, scores, against="persistence").sel(forecast="unet")
    assert (found.better.sel(score=["csi", "far"]) > 0.99).all()
    assert found.better.sel(score="beauty").isnull().all()
    assert (found.estimate.sel(score="far") < 0).all()


# --- missing data


def test_undefined_samples_are_counted_and_left_out():
    hits = np.zeros(40, np.int64)
    hits[7] = 3
    table = xr.Dataset(dict.fromkeys(COUNTS, ("case", 0 * hits)))
    table["hits"] = ("case", hits)
    found = bootstrap(table, csi, samples=500)
    assert found.estimate == found.lower == found.upper == 1
    # no sample has the one case with events in about exp(-1) of them, for blocks more
    assert 100 < found.undefined < 350
    assert found.undefined.dtype == np.int64
    dry = bootstrap(table.isel(case=slice(10, 40)), csi, block=1)
    assert dry.estimate.isnull()
    assert dry.lower.isnull()
    assert dry.undefined == 1000


def test_an_infinite_score_is_an_end():
    table = xr.Dataset({name: ("case", np.zeros(40, int)) for name in COUNTS})
    table["false_alarms"][:] = 1
    table["hits"][0] = 1
    found = bootstrap(table, lambda s: categorical_scores(s).bias, block=1)
    assert found.upper == np.inf
    assert found.lower < np.inf
    assert found.undefined == 0


def test_missing_pixels_are_counted_by_the_states(fields):
    observed, forecasts = fields
    gappy = observed.where(observed.y > 0)
    states = contingency(forecasts["unet"], gappy, threshold=1, over=OVER)
    other = contingency(
        forecasts["unet"].isel(y=slice(1, None)),
        observed.isel(y=slice(1, None)),
        threshold=1,
        over=OVER,
    )
    xr.testing.assert_equal(bootstrap(states, csi), bootstrap(other, csi))


def test_scores_instead_of_sums_are_refused():
    states = states_of(np.arange(40.0))
    states["sum"][3] = np.nan
    with pytest.raises(ValueError, match=r"'sum' with missing values.*not scores"):
        bootstrap(states, mean)
    named = states.assign(sum=("case", np.full(40, "a")))
    with pytest.raises(ValueError, match="or no numbers"):
        bootstrap(named, mean)


# --- few cases, and other mistakes


def test_few_blocks_are_warned_of_and_one_case_is_refused():
    with pytest.warns(UserWarning, match="7 blocks of 2.*too narrow; score more cases"):
        bootstrap(states_of(np.arange(15)), mean)
    with pytest.raises(ValueError, match="2 or more cases, but got 1"):
        bootstrap(states_of([1.0]), mean)
    with pytest.raises(ValueError, match="2 or more events, but got 1"):
        bootstrap(states_of([1.0, 2.0], event=["a", "a"]), mean)


@pytest.mark.parametrize("block", [0, -1, 21, 2.0, True, "3"])
def test_a_block_is_a_whole_number_up_to_half(block):
    with pytest.raises(ValueError, match=r"block is .*1 to 20"):
        bootstrap(states_of(np.arange(40)), mean, block=block)


@pytest.mark.parametrize("level", [0, 1, 90, np.nan])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match=r"such as 0\.9"):
        bootstrap(states_of(np.arange(40)), mean, level=level)


@pytest.mark.parametrize("samples", [19, 0, 50.0, True])
def test_samples_reach_the_ends(samples):
    with pytest.raises(ValueError, match="needs 20 or more"):
        bootstrap(states_of(np.arange(40)), mean, samples=samples)
    bootstrap(states_of(np.arange(40)), mean, samples=20)


def test_other_states_and_scores_are_refused():
    states = states_of(np.arange(40))
    with pytest.raises(TypeError, match="states is a DataArray"):
        bootstrap(states["sum"], mean)
    with pytest.raises(ValueError, match=r"xr\.concat\(states, 'case'\)"):
        bootstrap(states.isel(case=0), mean)
    with pytest.raises(ValueError, match="none be 'sample'"):
        bootstrap(states.expand_dims(sample=2), mean)
    with pytest.raises(ValueError, match=r"\['extra'\] have no dimension 'case'"):
        bootstrap(states.assign(extra=1), mean)
    with pytest.raises(TypeError, match="score gives a float"):
        bootstrap(states, lambda sums: float(sums["sum"].sum()))
    with pytest.raises(ValueError, match="gives no dimension 'sample'"):
        bootstrap(states, lambda sums: sums["sum"].sum())
    with pytest.raises(ValueError, match="no coordinate 'forecast'"):
        bootstrap(states, mean, against="persistence", goal="mse")


def test_states_on_dask_give_the_same(tables):
    found = bootstrap(tables.chunk(case=7, lead=1), csi)
    xr.testing.assert_allclose(found, bootstrap(tables, csi))


def test_the_order_of_dimensions_does_not_matter(tables):
    turned = tables.transpose("threshold", "case", "lead", "forecast")
    found, other = bootstrap(turned, csi), bootstrap(tables, csi)
    order = ("forecast", "lead", "threshold")
    xr.testing.assert_allclose(found.transpose(*order), other)


def test_another_dimension_can_be_that_of_cases(tables):
    found = bootstrap(tables.rename(case="time"), csi, dim="time")
    xr.testing.assert_allclose(found, bootstrap(tables, csi))
