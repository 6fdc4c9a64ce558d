"""Footprints of one hazard or lead, selected by hand, and settings that are none."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.test_footprint import labelled, stored, streamed

from stormfusion import Ensemble, Footprint
from stormfusion.errors import GridMismatchError
from stormfusion.products.files.conventions import DIMENSIONS, OF_THE_WINDOW

LAEA = "+proj=laea +lat_0=38 +lon_0=-98 +R=6370997"
HAZARDS = ["vil >= 12 kg m-2", "vil >= 3.5 kg m-2"]


@pytest.fixture(scope="module")
def whole() -> Footprint:
    rng = np.random.default_rng(3)
    return streamed(labelled(stored(rng, (5, 3, 8, 9))), HAZARDS)


@pytest.mark.parametrize(("dim", "place"), [("hazard", 1), ("quantile", 0)])
def test_one_label_selected_is_a_footprint_of_one(whole, dim: str, place: int) -> None:
    one = Footprint(whole.dataset.isel({dim: place}))
    wanted = whole.dataset.isel({dim: [place]})
    for name in DIMENSIONS:
        if name in wanted:
            xr.testing.assert_equal(one.dataset[name], wanted[name])
    xr.testing.assert_equal(one.area((0.2, 0.6)), Footprint(wanted).area((0.2, 0.6)))
    assert repr(one) == repr(Footprint(wanted))


def test_several_labels_selected_are_a_footprint(whole, tmp_path) -> None:
    with pytest.warns(UserWarning, match="of 3 lead times 1 are selected"):
        one = Footprint(whole.dataset.isel(hazard=0, lead=1, quantile=2))
    assert one.dataset.probability.dims == ("hazard", "lead", "y", "x")
    assert one.dataset.time.dims == ("lead",)
    again = Footprint.open(one.to_netcdf(tmp_path / "one.nc"))
    np.testing.assert_array_equal(again.dataset.probability, one.dataset.probability)


@pytest.mark.parametrize("leads", [1, slice(0, 2), [0, 2]])
def test_of_some_leads_nothing_is_said_of_the_window(whole, leads, tmp_path) -> None:
    with pytest.warns(UserWarning, match=r"of 3 lead times . are selected.*: window_p"):
        one = Footprint(whole.dataset.isel(lead=leads))
    assert not set(OF_THE_WINDOW) & set(one.dataset)
    assert set(OF_THE_WINDOW) - set(whole.dataset) == {
        "accumulation",
        "accumulation_percentile",
    }
    wanted = whole.dataset.probability.isel(lead=np.atleast_1d(np.r_[leads]))
    np.testing.assert_array_equal(one.dataset.probability, wanted)
    assert "window_area" not in one.area(0.5)
    towns = pd.DataFrame({"lat": [38.0], "lon": [-98.0]})
    placed = Footprint(one.dataset.assign_attrs(crs=LAEA))
    with pytest.raises(ValueError, match="of the whole window, as leads were selected"):
        placed.at(towns)
    assert len(placed.at(towns, lead=one.dataset.lead.values[0])) == 1
    for write in (placed.to_html, placed.report, placed.to_netcdf):
        assert write(tmp_path / "some.one").stat().st_size > 1000


@pytest.mark.parametrize("dim", ["y", "x", "lead", "hazard", "quantile"])
def test_an_empty_selection_is_told_of(whole, dim: str) -> None:
    with pytest.raises(ValueError, match=rf"nothing along {dim}, wanted one or more"):
        Footprint(whole.dataset.isel({dim: slice(0, 0)}))


def test_a_row_is_no_map(whole) -> None:
    with pytest.raises(ValueError, match=r"no dimension 'y', wanted maps on y and x"):
        Footprint(whole.dataset.isel(y=3))


@pytest.mark.parametrize("setting", ["by_lead", "accumulation"])
@pytest.mark.parametrize("value", ["no", 1, 0.0])
def test_a_text_is_not_taken_as_true(setting: str, value) -> None:
    ensemble = Ensemble(labelled(np.zeros((2, 1, 2, 2), "float32")).to_dataset())
    with pytest.raises(TypeError, match=rf"{setting} is {value!r}, wanted True"):
        ensemble.footprint(HAZARDS[0], **{setting: value})


@pytest.mark.parametrize(
    ("probability", "error", "told"),
    [
        ((), ValueError, "got no probability"),
        ("a", TypeError, "wanted a number above 0"),
        ("0.5", TypeError, "wanted a number above 0"),
        (None, TypeError, "wanted a number above 0"),
        ((0.5, 0.5), ValueError, "each once"),
        (50, ValueError, r"for percent write 0\.5"),
        (0.0, ValueError, "above 0"),
        ([0.5, 2.0], ValueError, "at most 1"),
        (np.nan, ValueError, "at most 1"),
    ],
)
def test_areas_want_probabilities(whole, probability, error, told: str) -> None:
    with pytest.raises(error, match=told):
        whole.area(probability)


@pytest.mark.parametrize("step", [0.01, 1.0])
def test_of_coordinates_that_are_no_metres_no_distance_is_told(step: float) -> None:
    data = labelled(np.zeros((2, 1, 4, 4), "float32"))
    bare = data.assign_coords(y=step * np.arange(4), x=step * np.arange(4))
    ensemble = Ensemble(bare.to_dataset())
    made = ensemble.footprint(HAZARDS[0])
    assert (made.dataset.probability == 0).all()
    assert not {"displacement", "window_displacement"} & set(made.dataset)
    for distant in (
        made.area,
        lambda: ensemble.footprint("vil >= 12 kg m-2 within 5 km"),
    ):
        with pytest.raises(GridMismatchError, match=r"no units.*'km' or 'degrees'"):
            distant()
