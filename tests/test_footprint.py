"""Footprints: by hand on tiny arrays, streamed beside stacked, in files."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from stormfusion import Footprint
from stormfusion.data.scaling import SCALINGS, scaling_for
from stormfusion.footprint import Accumulator, check_hazards, rank, stacked
from stormfusion.footprint.ordering import BINS, Histogram
from stormfusion.hazards import Hazard
from stormfusion.units import VARIABLES, vil_from_bytes

HAZARD = "vil >= 12 kg m-2"


def labelled(values, variable: str = "vil") -> xr.DataArray:
    """Members on (member, lead, y, x), five minutes from lead to lead."""
    values = np.asarray(values, dtype=np.float32)
    leads = (np.arange(values.shape[1]) + 1) * np.timedelta64(5, "m")
    reference = np.datetime64("2019-06-01T12:00", "ns")
    return xr.DataArray(
        values,
        dims=("member", "lead", "y", "x"),
        coords={
            "member": np.arange(len(values)),
            "lead": leads.astype("timedelta64[ns]"),
            "time": ("lead", reference + leads),
            "reference_time": reference,
            "y": np.arange(values.shape[2]) * 1000.0,
            "x": np.arange(values.shape[3]) * 1000.0,
        },
        name=variable,
        attrs={"units": VARIABLES[variable].units},
    )


def one_pixel(*members: list[float], variable: str = "vil") -> xr.DataArray:
    """Members of one pixel, each a value for every lead."""
    return labelled(np.array(members)[:, :, None, None], variable)


def streamed(
    members: xr.DataArray, hazards=(), *, weights=None, **options
) -> Footprint:
    like = members.isel(member=0, drop=True)
    gathered = Accumulator(like, hazards, weighted=weights is not None, **options)
    for number, member in enumerate(members.to_numpy()):
        gathered.add(member, 1.0 if weights is None else float(weights[number]))
    return gathered.finish()


def stored(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Values as SEVIR stores them, two thirds of them dry."""
    codes = rng.integers(0, 255, shape, dtype=np.uint8)
    return vil_from_bytes(np.where(rng.random(shape) < 0.66, 0, codes).astype(np.uint8))


MAKERS = pytest.mark.parametrize("make", [stacked, streamed], ids=["stacked", "stream"])


@MAKERS
def test_probability_by_hand(make) -> None:
    # an event is value >= threshold: the tie at 12 counts
    members = one_pixel([0, 0], [12, 0], [0, 12], [13, 14])
    made = make(members, check_hazards([HAZARD], "vil")).dataset
    assert made.probability.values.ravel().tolist() == [0.5, 0.5]
    # over the window three of four members meet it, at one lead or another
    assert made.window_probability.values.ravel().tolist() == [0.75]


@MAKERS
def test_percentiles_by_hand(make) -> None:
    values = vil_from_bytes(np.array([0, 50, 100, 150], dtype=np.uint8))
    members = one_pixel(*[[v, values[3 - i]] for i, v in enumerate(values)])
    made = make(members, (), percentiles=[0, 25, 26, 50, 100]).dataset
    expected = values[[0, 0, 1, 1, 3]]
    for lead in range(2):
        np.testing.assert_allclose(made.percentile[:, lead, 0, 0], expected, rtol=1e-6)
    # each member's largest value: 150, 100, 100, 150
    np.testing.assert_allclose(
        made.window_percentile[:, 0, 0], values[[2, 2, 2, 2, 3]], rtol=1e-6
    )
    assert made["quantile"].values.tolist() == [0, 0.25, 0.26, 0.5, 1]


@MAKERS
def test_mean_and_spread_by_hand(make) -> None:
    made = make(one_pixel([1.0], [2.0], [6.0]), ()).dataset
    assert made["mean"].item() == 3.0
    assert made.spread.item() == pytest.approx(np.sqrt((4 + 1 + 9) / 2), rel=1e-6)


@MAKERS
def test_equal_members_have_no_spread(make) -> None:
    made = make(labelled(np.full((5, 2, 2, 2), 0.7, dtype=np.float32)), ()).dataset
    assert (made.spread == 0).all()
    np.testing.assert_allclose(made["mean"], 0.7, rtol=1e-6)


@MAKERS
def test_a_pixel_counts_in_the_members_that_know_it(make) -> None:
    nan = np.nan
    # of two leads and four pixels
    values = np.full((4, 2, 1, 4), 1.0, dtype=np.float32)
    values[:2, 0, 0, 0] = nan  # half of them know it
    values[2, 0, 0, 0] = 40.0
    values[:3, 0, 0, 1] = nan  # one does
    values[:2, 0, 0, 2], values[2:, 1, 0, 2] = nan, nan  # none does at both leads
    made = make(labelled(values), check_hazards([HAZARD], "vil"), percentiles=[90])
    made = made.dataset.isel(y=0)
    np.testing.assert_allclose(made.known[0], [0.5, 0.25, 0.5, 1])
    assert (made.known[1, [0, 1, 3]] == 1).all()
    np.testing.assert_allclose(made.probability[0, 0], [0.5, nan, 0, 0])
    np.testing.assert_allclose(made["mean"][0], [20.5, nan, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(made.spread[0], [39 / 2**0.5, nan, 0, 0], rtol=1e-6)
    highest = made.percentile[0, 0].values
    np.testing.assert_allclose(highest, [40, nan, 1, 1], rtol=0.1)
    np.testing.assert_allclose(made.window_probability[0], [0.5, nan, nan, 0])
    highest = made.window_percentile[0].values
    np.testing.assert_allclose(highest, [40, nan, nan, 1], rtol=0.1)


def test_streamed_equals_stacked_for_vil() -> None:
    rng = np.random.default_rng(0)
    values = stored(rng, (23, 4, 6, 7))
    values[3, 1, 2, 2] = np.nan
    members = labelled(values)
    hazards = check_hazards([HAZARD, "vil >= 0 kg m-2"], "vil")
    a, b = stacked(members, hazards).dataset, streamed(members, hazards).dataset
    for name in ("probability", "window_probability"):
        np.testing.assert_array_equal(a[name], b[name])
    for name in ("percentile", "window_percentile"):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6)
    for name in ("mean", "spread"):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6, atol=1e-6)
    assert b.attrs["percentiles"] == "exact"
    assert a.coords.keys() == b.coords.keys()


def test_streamed_percentiles_of_rain_are_the_nearest_of_256() -> None:
    rng = np.random.default_rng(1)
    values = np.where(
        rng.random((31, 3, 5, 5)) < 0.5, 0, rng.gamma(0.5, 8, (31, 3, 5, 5))
    )
    members = labelled(values, "rain_rate")
    exact, near = stacked(members, ()).dataset, streamed(members).dataset
    number = scaling_for("rain_rate").normalize
    for name in ("percentile", "window_percentile"):
        difference = number(exact[name].values) - number(near[name].values)
        assert np.abs(difference).max() <= 1.25 / 255 / 2 + 1e-6
    note = near.attrs["percentiles"]
    assert note.startswith("the nearest of 256 values from 0 to 2545 mm h-1, at most")
    # the bound that is told holds
    bound = float(note.split("at most ")[1].split("%")[0]) / 100
    for name in ("percentile", "window_percentile"):
        off = np.abs(exact[name] - near[name]) / exact[name]
        assert float(off.where(exact[name] >= 0.1).max()) <= bound + 1e-3


def test_members_and_their_order_do_not_matter() -> None:
    values = stored(np.random.default_rng(2), (12, 2, 4, 4))
    hazards = check_hazards([HAZARD], "vil")
    one = streamed(labelled(values), hazards).dataset
    other = streamed(labelled(values[::-1].copy()), hazards).dataset
    xr.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:percentiles are .* all below the first")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 254), min_size=2, max_size=12), st.floats(0, 100))
def test_a_percentile_is_a_member(codes: list[int], percentile: float) -> None:
    values = vil_from_bytes(np.array(codes, dtype=np.uint8))
    made = streamed(one_pixel(*[[v] for v in values]), percentiles=[percentile])
    found = made.dataset.percentile.item()
    expected = np.sort(values)[rank(percentile, len(values)) - 1]
    assert found == pytest.approx(float(expected), rel=1e-6)


def test_memory_does_not_grow_with_the_members() -> None:
    values = stored(np.random.default_rng(3), (1, 3, 16, 16))[0]
    held = []
    for members in (10, 400):
        like = labelled(values[None]).isel(member=0, drop=True)
        tracemalloc.start()
        gathered = Accumulator(like, check_hazards([HAZARD], "vil"))
        for _ in range(members):
            gathered.add(values)
        held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert held[1] < 1.02 * held[0]


def test_many_members_are_counted_without_overflow() -> None:
    like = labelled(np.zeros((1, 1, 1, 2))).isel(member=0, drop=True)
    gathered = Accumulator(like, check_hazards([HAZARD], "vil"), percentiles=[50, 90])
    wet = vil_from_bytes(np.array([[[0, 200]]], dtype=np.uint8))
    for number in range(600):
        gathered.add(wet if number % 4 else np.zeros_like(wet))
    made = gathered.finish().dataset
    assert made.window_probability.values.ravel().tolist() == [0, 0.75]
    np.testing.assert_allclose(made.percentile[:, 0, 0, 1], wet[0, 0, 1], rtol=1e-6)
    assert made.attrs["members"] == 600


@pytest.mark.parametrize("variable", sorted(SCALINGS))
def test_the_histogram_of_every_variable_has_its_own_values(variable: str) -> None:
    histogram = Histogram((BINS,), scaling_for(variable))
    bins = histogram.bins(histogram.levels)
    same = histogram.levels[bins] == histogram.levels
    assert same.all() or np.allclose(histogram.levels[bins], histogram.levels)


def test_other_members_are_refused() -> None:
    like = labelled(np.zeros((1, 1, 2, 2))).isel(member=0, drop=True)
    gathered = Accumulator(like, ())
    with pytest.raises(ValueError, match=r"shape \(1, 2, 3\), wanted that of the fore"):
        gathered.add(np.zeros((1, 2, 3), dtype=np.float32))
    gathered.add(np.zeros((1, 2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"got 1 member, wanted 2 or more"):
        gathered.finish()
    with pytest.raises(ValueError, match=r"got 1 member, wanted 2 or more"):
        stacked(labelled(np.zeros((1, 1, 2, 2))), ())


def test_hazards_of_other_variables_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"speaks of rain_rate, the forecast is of vil"
    ):
        check_hazards(["rain_rate >= 1 mm/h"], "vil")
    with pytest.raises(ValueError, match=r"name one twice; drop it"):
        check_hazards(["vil >= 12 kg m-2", "vil >= 12.0 kg/m^2"], "vil")
    with pytest.raises(ValueError, match=r"wanted numbers from 0 to 100, each once"):
        streamed(one_pixel([0], [1]), percentiles=[101])


def test_a_hazard_in_other_units_is_the_same() -> None:
    members = one_pixel([25.4], [25.3], variable="rain_rate")
    made = streamed(members, [Hazard("rain_rate", 1, "inch h-1")]).dataset
    assert made.probability.item() == 0.5


def footprint() -> Footprint:
    values = stored(np.random.default_rng(4), (9, 3, 5, 6))
    return streamed(labelled(values), [HAZARD, "vil >= 3.5 kg m-2"])


def test_netcdf_opens_again_with_its_conventions(tmp_path: Path) -> None:
    made = footprint()
    path = made.to_netcdf(tmp_path / "risk.nc")
    assert path == tmp_path / "risk.nc"
    assert [p.name for p in tmp_path.iterdir()] == ["risk.nc"]
    with xr.open_dataset(path, decode_timedelta=True) as opened:
        assert opened["hazard"].values.tolist() == [str(h) for h in made.hazards]
        np.testing.assert_array_equal(opened.lead, made.dataset.lead)
        np.testing.assert_array_equal(opened.time, made.dataset.time)
        for name, array in made.dataset.data_vars.items():
            np.testing.assert_array_equal(opened[name], array)
            assert opened[name].attrs["units"] == array.attrs["units"]
            assert opened[name].attrs["long_name"]
        assert Footprint(opened.load()).hazards == made.hazards


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = footprint().to_netcdf(tmp_path / "risk.nc")
    before = path.read_bytes()

    def fail(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:4])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match=r"disk full"):
        footprint().to_netcdf(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["risk.nc"]
    with pytest.raises(
        FileNotFoundError, match=r"folder .* does not exist, .*; make it"
    ):
        footprint().to_netcdf(tmp_path / "no" / "risk.nc")


def test_a_footprint_says_what_it_holds() -> None:
    made = footprint()
    assert repr(made).startswith("<Footprint of 9 members: vil >= 12 kg m-2; vil >=")
    assert streamed(one_pixel([0], [1])).hazards == ()
    with pytest.raises(
        ValueError, match=r"holds probability, percentile or mean, got rain"
    ):
        Footprint(xr.Dataset({"rain": 1}))


def test_verify_by_hand() -> None:
    members = one_pixel([12, 0], [0, 0])
    made = streamed(members, [HAZARD])
    truth = members.isel(member=0, drop=True)
    scores = made.verify(truth)
    assert scores.brier.values.tolist() == [[0.25, 0.0]]
    assert scores.window_brier.values.tolist() == [0.25]
    # half of the members have it, and it comes: reliability is all there is
    assert scores.brier_reliability.values.tolist() == [[0.25, 0.0]]
    assert scores.window_brier_uncertainty.values.tolist() == [0.0]
    fss = scores.fss.sel(scale=1)
    np.testing.assert_allclose(fss, [[1 - 0.25 / 1.25, np.nan]])
    assert scores["count"].sum().item() == 2
    by_time = truth.swap_dims(lead="time").drop_vars("lead")
    xr.testing.assert_equal(made.verify(by_time.to_dataset()), scores)


def test_verify_scores_the_percentiles_and_counts_no_broken_window() -> None:
    members = one_pixel([12, 0], [0, 0])
    made = streamed(members, [HAZARD], percentiles=[0, 50, 100])
    truth = members.isel(member=0, drop=True)
    scores = made.verify(truth)
    # the extremes are no quantiles of a level between 0 and 1
    assert scores["quantile"].values.tolist() == [0.5]
    middle = made.dataset.percentile.sel(quantile=0.5).squeeze()
    error = abs(middle - truth.squeeze()) / 2
    np.testing.assert_allclose(scores.quantile_score.squeeze(), error)
    gap = made.verify(truth.where(truth.lead != truth.lead[0]))
    assert np.isnan(gap.window_brier.item())
    assert np.isnan(gap.window_quantile_score.item())
    assert gap.brier.values.tolist()[0][1] == 0.0


def test_verify_names_what_is_absent() -> None:
    members = one_pixel([12, 0], [0, 0])
    made = streamed(members, [HAZARD])
    truth = members.isel(member=0, drop=True).swap_dims(lead="time").drop_vars("lead")
    with pytest.raises(
        ValueError, match=r"no frame at 2019-06-01T12:10.*give all frames"
    ):
        made.verify(truth[:1])
    with pytest.raises(ValueError, match=r"wanted lead or time"):
        made.verify(truth.isel(time=0))
    with pytest.raises(
        ValueError, match=r"observed has no variable 'vil', it has rain"
    ):
        made.verify(truth.to_dataset(name="rain"))
    with pytest.raises(ValueError, match=r"no hazard to verify"):
        streamed(members).verify(truth)
    plain = made.dataset.drop_vars("time")
    with pytest.raises(ValueError, match=r"forecast has no valid times"):
        Footprint(plain.drop_vars("reference_time")).verify(truth)
    # the start and the leads tell them as well
    known = made.verify(truth).drop_vars("time")
    xr.testing.assert_identical(Footprint(plain).verify(truth), known)


def test_plot_returns_the_figure() -> None:
    from matplotlib.figure import Figure

    assert isinstance(footprint().plot(), Figure)


@pytest.mark.parametrize(
    ("percentiles", "error"),
    [(50, TypeError), (None, TypeError), (("a",), TypeError), ((5, 5), ValueError)],
)
def test_percentiles_are_numbers_each_once(percentiles, error) -> None:
    with pytest.raises(error, match=r"wanted numbers from 0 to 100"):
        streamed(one_pixel([0], [1]), percentiles=percentiles)


def test_a_footprint_may_have_no_percentiles() -> None:
    members = one_pixel([12, 0], [0, 0])
    for made in (
        streamed(members, [HAZARD], percentiles=()),
        stacked(members, [HAZARD], percentiles=()),
    ):
        assert "percentile" not in made.dataset
        assert made.dataset.probability.shape[0] == 1


@pytest.mark.parametrize("hazard", [3, None, ["vil >= 12 kg m-2"]])
def test_hazards_are_texts(hazard) -> None:
    with pytest.raises(TypeError, match=r"wanted a text such as 'vil >= 12 kg m-2'"):
        check_hazards([hazard], "vil")


def test_verify_wants_labelled_observations() -> None:
    made = streamed(one_pixel([12, 0], [0, 0]), [HAZARD])
    with pytest.raises(TypeError, match=r"observed is a NoneType, wanted an xarray"):
        made.verify(None)
