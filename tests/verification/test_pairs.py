import numpy as np
import pytest
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.verification import (
    brier,
    contingency,
    crps,
    csi,
    error_sums,
    fss,
    gdl_sums,
    mae,
    merge,
    rank_histogram,
    reliability,
    spread_skill,
    variogram_sums,
)

LEAD = np.array([5, 10], "timedelta64[m]")


def field(lead=LEAD, y=(0.0, 1.0, 2.0), x=(0.0, 1.0, 2.0, 3.0), dims=None):
    values = np.arange(len(lead) * len(y) * len(x), dtype=float)
    return xr.DataArray(
        values.reshape(len(lead), len(y), len(x)),
        dims=dims or ("lead", "y", "x"),
        coords={"lead": lead, "y": list(y), "x": list(x)} if dims is None else None,
    )


SCORES = (
    lambda f, o: csi(f, o, threshold=3),
    mae,
    lambda f, o: brier(f, o, threshold=3),
    lambda f, o: reliability(f, o, threshold=3),
    lambda f, o: fss(f, o, threshold=3, scale=3),
)
ENSEMBLE_SCORES = (crps, rank_histogram, spread_skill)


def every_score(forecast):
    for score in SCORES:
        yield score, forecast
    for score in ENSEMBLE_SCORES:
        yield score, xr.concat([forecast, forecast], "member")


@pytest.mark.parametrize(
    ("observed", "dim", "mend"),
    [
        (field(x=(0.0, 1.0, 2.0)), "x", "4 and 3 points.*coarsen"),
        (field(y=(0.0, 1.0)), "y", "3 and 2 points"),
        (field(lead=LEAD[:1]), "lead", "2 and 1 points"),
        (field(x=(1.0, 2.0, 3.0, 4.0)), "x", "other places in x.*interp_like"),
        (field(y=(2.0, 1.0, 0.0)), "y", "other places in y.*sortby"),
        (field(lead=LEAD + LEAD[0]), "lead", "other places in lead"),
    ],
)
def test_fields_on_other_grids_are_refused_by_every_score(observed, dim, mend):
    assert dim in observed.dims
    for score, forecast in every_score(field()):
        with pytest.raises(GridMismatchError, match=mend):
            score(forecast, observed)


def test_rounding_of_coordinates_is_no_mismatch():
    shaken = field(x=(1e-9, 1.0 - 1e-9, 2.0, 3.0))
    assert mae(field(), shaken).sum() == 0
    assert mae(field(), shaken).sizes == {"lead": 2}
    with pytest.raises(GridMismatchError):
        mae(field(), field(x=(0.01, 1.0, 2.0, 3.0)))


def test_times_are_compared_exactly():
    late = field(lead=LEAD + np.timedelta64(1, "s"))
    with pytest.raises(GridMismatchError, match="lead"):
        mae(field(), late)
    assert mae(field(lead=LEAD.astype("timedelta64[ns]")), field()).sum() == 0


def test_a_field_without_coordinates_takes_those_of_the_other():
    bare = field().drop_vars(["x", "y", "lead"])
    for scores in (mae(bare, field()), mae(field(), bare)):
        np.testing.assert_array_equal(scores.lead, LEAD)
    assert "lead" not in mae(bare, bare).coords


def test_order_of_dimensions_and_other_coordinates_do_not_matter():
    forecast = field().transpose("x", "lead", "y")
    forecast = forecast.assign_coords(time=("lead", [1, 2]), reference_time=0)
    scores = mae(forecast, field().assign_coords(reference_time=1))
    assert scores.sum() == 0
    assert set(scores.coords) == {"lead"}


def test_other_dimensions_are_refused():
    with pytest.raises(ValueError, match=r"\('lead', 'y', 'x'\) and observed"):
        mae(field(), field().rename(lead="time"))
    with pytest.raises(ValueError, match="give both the same"):
        mae(field(), field().isel(lead=0))


def test_members_are_refused_where_one_forecast_is_scored():
    ensemble = xr.concat([field(), field()], "member")
    for score in (mae, lambda f, o: csi(f, o, threshold=1)):
        with pytest.raises(ValueError, match=r"mean\('member'\)"):
            score(ensemble, field())


def test_bare_arrays_are_refused():
    with pytest.raises(TypeError, match=r"forecast is a ndarray.*named dimensions"):
        mae(field().values, field())
    with pytest.raises(TypeError, match="observed is a Dataset"):
        mae(field(), field().to_dataset(name="vil"))


def test_units_must_agree():
    forecast = field().assign_attrs(units="mm/h")
    observed = field().assign_attrs(units="mm h-1")
    assert mae(forecast, observed).sum() == 0
    with pytest.raises(ValueError, match=r"'mm/h' and observed in 'inch h-1'.*convert"):
        mae(forecast, field().assign_attrs(units="inch h-1"))


@pytest.mark.parametrize(
    "threshold",
    [
        [],
        np.nan,
        [1.0, np.inf],
        [1.0, 1.0],
        [[1.0, 2.0]],
        "1",
        ["1", "2"],
        [None],
        True,
    ],
)
def test_thresholds_are_finite_and_differ(threshold):
    with pytest.raises(ValueError, match=r"finite number.*such as \[3.5, 12\]"):
        contingency(field(), field(), threshold=threshold)


def test_one_threshold_is_a_scalar_and_several_a_dimension():
    observed = field().assign_attrs(units="mm")
    one = csi(field(), observed, threshold=0.0)
    assert one.dims == ("lead",)
    assert one.threshold.item() == 0.0
    assert one.threshold.attrs["units"] == "mm"
    several = csi(field(), observed, threshold=xr.DataArray([3, 1], dims="threshold"))
    assert several.dims == ("lead", "threshold")
    assert several.threshold.values.tolist() == [3, 1]


def test_over():
    assert mae(field(), field()).dims == ("lead",)
    assert mae(field(), field(), over=("lead", "y", "x")).dims == ()
    assert mae(field(), field(), over="x").dims == ("lead", "y")
    assert mae(field(), field(), over=()).dims == ("lead", "y", "x")
    with pytest.raises(ValueError, match=r"cannot sum over \['time'\]"):
        mae(field(), field(), over=["time"])


def test_merge_refuses_states_that_do_not_fit():
    sums = error_sums(field(), field())
    counts = contingency(field(), field(), threshold=[1, 2])
    with pytest.raises(ValueError, match="one kind"):
        merge(sums, counts)
    with pytest.raises(ValueError, match="coordinates differ"):
        merge(counts, contingency(field(), field(), threshold=[1, 3]))
    with pytest.raises(ValueError, match="coordinates differ"):
        merge(sums, sums.isel(lead=[0]))
    with pytest.raises(ValueError, match="pass one or more"):
        merge()


def test_states_in_other_units_or_of_another_power_do_not_add():
    def in_units(units):
        bare = field().drop_vars(["y", "x"])
        return bare.assign_attrs(units=units) if units else bare

    mm, m, same, bare = (in_units(u) for u in ("mm h-1", "m s-1", "mm/h", None))
    line = dict.fromkeys(("y", "x"), slice(2))
    states = (
        error_sums,
        lambda f, o: contingency(f, o, threshold=1),
        gdl_sums,
        lambda f, o: gdl_sums(f, o, alpha=2),
        lambda f, o: variogram_sums(f.expand_dims(member=2), o, lags=[1]),
    )
    for state in states:
        one = state(mm[line], mm[line])
        with pytest.raises(ValueError, match=r"units differ \(.*mm h-1.* and .*m s-1"):
            merge(one, state(m[line], m[line]))
        for other in (same, bare):  # as pair has it
            merge(one, state(other[line], other[line]))
    two = gdl_sums(mm, mm, alpha=2)
    with pytest.raises(ValueError, match=r"units differ .* with the same options"):
        merge(two, gdl_sums(mm, mm))
    members = bare.expand_dims(member=2)
    half, whole = (variogram_sums(members, bare, lags=[1], order=p) for p in (0.5, 1))
    with pytest.raises(ValueError, match=r"order differ \(0\.5 and 1\.0\)"):
        merge(half, whole)


def test_zero_is_a_state_and_merging_changes_nothing():
    counts = contingency(field(), field(), threshold=[1, 2])
    before = counts.copy(deep=True)
    both = merge(counts, xr.zeros_like(counts), counts)
    xr.testing.assert_identical(counts, before)
    xr.testing.assert_identical(both, merge(counts, counts))
    assert both.hits.dtype == np.int64
    assert both.hits.attrs == counts.hits.attrs
