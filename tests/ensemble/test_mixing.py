"""Ensembles of several nowcasters as one."""

import numpy as np
import pytest
import xarray as xr
from tests.test_footprint import labelled, stored

from stormfusion import Ensemble
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid

nan = np.nan


def made(seed: int = 0, members: int = 4, *, recipe: str | None = None) -> Ensemble:
    dataset = labelled(
        stored(np.random.default_rng(seed), (members, 2, 3, 4))
    ).to_dataset()
    if recipe is not None:
        dataset.attrs["recipe"] = recipe
    return Ensemble(dataset)


def changed(ensemble: Ensemble, **coords) -> Ensemble:
    return Ensemble(ensemble.dataset.assign_coords(coords))


def timeless(ensemble: Ensemble) -> Ensemble:
    return Ensemble(ensemble.dataset.drop_vars("time"))


def started(ensemble: Ensemble, value: float) -> Ensemble:
    frame = (("x", "y"), np.full((4, 3), value), {"units": "kg m-2"})
    return Ensemble(ensemble.dataset.assign(initial=frame))


def test_members_stand_one_after_the_other() -> None:
    one, two = made(0, 4, recipe="steps"), made(1, 2, recipe="unet+mse")
    both = Ensemble.mixed(one, two)
    assert both.members == 6
    np.testing.assert_array_equal(both.values[:4], one.values)
    np.testing.assert_array_equal(both.values[4:], two.values)
    assert both.dataset["member"].values.tolist() == list(range(6))
    assert both.dataset["source"].values.tolist() == ["steps"] * 4 + ["unet+mse"] * 2
    assert both.dataset.attrs["recipe"] == "steps and unet+mse"
    assert both.values.attrs["units"] == "kg m-2"
    np.testing.assert_array_equal(both.values.time, one.values.time)
    # by default each member weighs the same
    assert both.weights is None
    plain = Ensemble(labelled(both.values.to_numpy()).to_dataset())
    for name, array in both.footprint("vil >= 12 kg m-2").dataset.items():
        other = plain.footprint("vil >= 12 kg m-2").dataset[name]
        np.testing.assert_array_equal(array, other)
    assert "recipe" in one.dataset.attrs
    assert "weight" not in one.dataset.coords


def test_weights_are_of_each_ensemble() -> None:
    one, two = made(0, 4), made(1, 2)
    both = Ensemble.mixed(one, two, weights=(3, 1))
    assert both.weights is not None
    np.testing.assert_allclose(both.weights, [3 / 16] * 4 + [1 / 8] * 2)
    hazard = "vil >= 12 kg m-2"
    np.testing.assert_allclose(
        both.probability(hazard),
        0.75 * one.probability(hazard) + 0.25 * two.probability(hazard),
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        both.mean(), 0.75 * one.mean() + 0.25 * two.mean(), rtol=1e-5
    )
    assert both.dataset["source"].values[[0, 4]].tolist() == [
        "ensemble 0",
        "ensemble 1",
    ]
    alone = Ensemble.mixed(one, two, weights=(1, 0)).footprint(hazard).dataset
    for name, array in one.footprint(hazard).dataset.items():
        np.testing.assert_allclose(alone[name], array, rtol=1e-5, atol=1e-6)


def test_mixing_again_keeps_the_proportions() -> None:
    one, two, three = made(0, 4, recipe="a"), made(1, 2, recipe="b"), made(2, 6)
    nested = Ensemble.mixed(
        Ensemble.mixed(one, two, weights=(0.2, 0.8)), three, weights=(0.5, 0.5)
    )
    at_once = Ensemble.mixed(one, two, three, weights=(0.1, 0.4, 0.5))
    np.testing.assert_allclose(nested.weights, at_once.weights)
    sources = nested.dataset["source"].values.tolist()
    assert sources == ["a"] * 4 + ["b"] * 2 + ["ensemble 1"] * 6
    assert nested.dataset.attrs["recipe"] == "a and b and ensemble 1"
    # by default twelve members share alike, and within six they stay as they were
    default = Ensemble.mixed(Ensemble.mixed(one, two, weights=(0.2, 0.8)), three)
    np.testing.assert_allclose(default.weights, at_once.weights)
    assert Ensemble.mixed(one).weights is None


@pytest.mark.parametrize("which", [0, 1])
def test_the_initial_frame_is_kept_whoever_has_it(which: int) -> None:
    parts = [made(0), made(1)]
    parts[which] = started(parts[which], 7.0)
    # coordinates may differ by rounding
    parts[1] = changed(parts[1], x=parts[1].dataset.x + 1e-4)
    both = Ensemble.mixed(*parts)
    assert both.initial is not None
    np.testing.assert_array_equal(both.initial, np.full((3, 4), 7.0))
    assert Ensemble.mixed(made(0), made(1)).initial is None


def test_initial_frames_that_differ_are_told_of() -> None:
    with pytest.warns(UserWarning, match=r"differ in initial, the frame at their"):
        both = Ensemble.mixed(started(made(), 3.0), started(made(1), 4.0))
    assert both.initial is not None
    assert (both.initial == 3).all()
    same = Ensemble.mixed(started(made(), 3.0), started(made(1), 3.0))
    assert same.initial is not None


def test_labels_that_one_lacks_come_from_the_other() -> None:
    laea = "+proj=laea +lat_0=38 +lon_0=-98"
    grid = Grid(1e3 * np.arange(3.0), 1e3 * np.arange(4.0), laea)
    full = changed(made(), **grid.coords())
    bare = changed(made(1), **Grid(grid.y, grid.x).coords())
    bare = Ensemble(bare.dataset.drop_vars(["reference_time", "time"]))
    for pair in ((full, bare), (bare, full)):
        both = Ensemble.mixed(*pair)
        assert Grid.of(both.values).crs is not None
        assert both.values.reference_time == full.values.reference_time
        assert both.values.time.equals(full.values.time)
    # one projection, written in two ways
    one, two = made(), made(1)
    one.dataset.attrs["crs"], two.dataset.attrs["crs"] = "EPSG:3035", "epsg:3035"
    assert Ensemble.mixed(one, two).dataset.attrs["crs"] == "EPSG:3035"


def test_other_projections_are_named() -> None:
    y, x = 5e6 + 1e3 * np.arange(3.0), 4e5 + 1e3 * np.arange(4.0)
    parts = [
        changed(made(seed), **Grid(y, x, f"EPSG:3263{seed}").coords())
        for seed in (2, 3)
    ]
    with pytest.raises(GridMismatchError, match=r"projections .* 32N' and .* 33N'\)"):
        Ensemble.mixed(*parts)


def test_a_region_may_be_one_row_wide() -> None:
    parts = [Ensemble(made(s).dataset.isel(y=[1])) for s in range(2)]
    assert Ensemble.mixed(*parts).members == 8
    with pytest.raises(GridMismatchError, match="different grids"):
        Ensemble.mixed(parts[0], Ensemble(made(1).dataset.isel(y=[2])))


def test_dask_stays_lazy() -> None:
    lazy = Ensemble(made(0).dataset.chunk(member=1))
    both = Ensemble.mixed(lazy, made(1), weights=(1, 2))
    assert both.values.chunks is not None
    eager = Ensemble.mixed(made(0), made(1), weights=(1, 2))
    xr.testing.assert_allclose(
        both.probability("vil >= 12 kg m-2"), eager.probability("vil >= 12 kg m-2")
    )


def test_scores_say_that_they_take_members_alike() -> None:
    both = Ensemble.mixed(made(0), made(1), weights=(3, 1))
    observed = both.values.isel(member=0, drop=True)
    with pytest.warns(UserWarning, match="have weights, and scores count all members"):
        both.verify(observed, scales=[1], distances=())
    Ensemble.mixed(made(0), made(1)).verify(observed, scales=[1], distances=())


LATER = np.datetime64("2019-06-01T13:00", "ns")


@pytest.mark.parametrize(
    ("other", "helpful"),
    [
        (lambda e: Ensemble(e.dataset.isel(lead=[0])), r"differ in lead \(2 and 1"),
        (lambda e: Ensemble(e.dataset.isel(x=slice(3))), r"differ in x \(4 and 3"),
        (
            lambda e: changed(timeless(e), lead=(e.dataset.lead * 2).values),
            "differ in their lead times",
        ),
        (lambda e: Ensemble(e.dataset.drop_vars("lead")), "one has no coordinate lead"),
        (lambda e: Ensemble(e.dataset.drop_vars("y")), "one has no coordinate y"),
        (lambda e: changed(e, x=e.dataset.x + 500), "lie on different grids"),
        (lambda e: Ensemble(e.dataset.isel(y=[2, 1, 0])), "rows run another way"),
        (
            lambda e: changed(timeless(e), reference_time=LATER),
            "wanted one reference_time",
        ),
        (
            lambda e: changed(
                Ensemble(e.dataset.drop_vars("reference_time")),
                time=("lead", (e.dataset.time + np.timedelta64(1, "D")).values),
            ),
            "2019-06-01T12:05.* and 2019-06-02T12:05.*wanted one time",
        ),
    ],
)
def test_ensembles_that_do_not_mix(other, helpful: str) -> None:
    with pytest.raises(GridMismatchError, match=helpful):
        Ensemble.mixed(made(0), other(made(1)))


def test_ensembles_of_one_variable_mix() -> None:
    rain = Ensemble(labelled(np.ones((4, 2, 3, 4)), "rain_rate").to_dataset())
    with pytest.raises(ValueError, match=r"are of vil, rain_rate, wanted one variable"):
        Ensemble.mixed(made(0), rain)


@pytest.mark.parametrize("given", [(), ([made(0), made(1)],), (made(0), None)])
def test_only_ensembles_mix(given) -> None:
    with pytest.raises(TypeError, match=r"wanted ensembles, one after the other; of a"):
        Ensemble.mixed(*given)


@pytest.mark.parametrize(
    ("weights", "error", "helpful"),
    [
        ((1,), ValueError, "got 1 weights for 2 ensembles, wanted one for each"),
        ((1, 2, 3), ValueError, "got 3 weights for 2 ensembles"),
        ((1, -1), ValueError, "finite ones, 0 or more, and not all of them 0"),
        ((0, 0), ValueError, "not all of them 0"),
        ((1, nan), ValueError, "finite ones"),
        ((1, np.inf), ValueError, "finite ones"),
        ((1e308, 1e308), ValueError, "finite ones"),
        (("a", "b"), TypeError, "wanted a number for each ensemble"),
        (0.5, TypeError, "wanted a number for each ensemble"),
        ((None, 1), TypeError, "wanted a number for each ensemble"),
    ],
)
def test_weights_are_one_for_each(weights, error, helpful: str) -> None:
    with pytest.raises(error, match=helpful):
        Ensemble.mixed(made(0), made(1), weights=weights)


def test_an_initial_frame_has_rows_and_columns() -> None:
    dataset = made(0).dataset
    with pytest.raises(ValueError, match=r"initial has dimensions .*wanted y and x"):
        Ensemble(dataset.assign(initial=dataset.vil.isel(member=0)))
    metres = (("y", "x"), np.full((3, 4), 2.0), {"units": "g m-2"})
    found = Ensemble(dataset.assign(initial=metres)).initial
    np.testing.assert_allclose(found, 0.002)


def test_climada_takes_no_weights() -> None:
    with pytest.raises(ValueError, match="weights, which events of CLIMADA would lose"):
        Ensemble.mixed(made(0), made(1), weights=(3, 1)).to_climada()
