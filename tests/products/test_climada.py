"""Percentiles as events of CLIMADA."""

import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stormfusion import Footprint
from stormfusion.products.files.climada import percentile_hazard, shares
from stormfusion.products.files.conventions import PLANE

needs_climada = pytest.mark.skipif(
    importlib.util.find_spec("climada") is None,
    reason="CLIMADA is not installed; it comes with the extra 'climada'",
)


class Fake:
    """What CLIMADA is given, kept."""

    def __init__(self, **given: object) -> None:
        self.__dict__.update(given)

    def write_hdf5(self, path: str) -> None:
        """Write the names of the events."""
        with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(self.event_name, file)


@pytest.fixture
def climada(monkeypatch) -> SimpleNamespace:
    fake = SimpleNamespace(Hazard=Fake, Centroids=Fake)
    monkeypatch.setitem(sys.modules, "climada", SimpleNamespace(hazard=fake))
    monkeypatch.setitem(sys.modules, "climada.hazard", fake)
    monkeypatch.setitem(sys.modules, "climada.hazard.forecast", None)
    return fake


def test_each_percentile_is_an_event(made, climada, tmp_path) -> None:
    path = tmp_path / "vil.h5"
    found = Footprint(made).to_climada(path)
    assert found.event_name == [
        f"percentile {p} of the largest vil" for p in (10, 50, 90)
    ]
    assert json.loads(path.read_text()) == found.event_name
    np.testing.assert_allclose(found.frequency, [0.3, 0.4, 0.3])
    assert (found.haz_type, found.units) == ("VI", "kg m-2")
    known = made.window_percentile.transpose("quantile", *PLANE).values[
        :, ~np.isnan(made.window_percentile.values[0])
    ]
    np.testing.assert_array_equal(found.intensity.toarray(), known)
    assert found.centroids.lat.size == 8 * 11 - 1
    assert json.loads(found.provenance)["training_data"] == "0a1b"
    assert Footprint(made).to_climada(kind="HL").haz_type == "HL"


def test_a_footprint_without_percentiles(made, climada) -> None:
    with pytest.raises(ValueError, match=r"no percentiles of the window, wanted some"):
        percentile_hazard(made[["mean"]])


def test_shares_are_those_of_the_nearest() -> None:
    assert shares(np.array([0.5])).tolist() == [1.0]
    np.testing.assert_allclose(shares(np.array([0.9, 0.1])), [0.5, 0.5])
    np.testing.assert_allclose(shares(np.array([0.0, 0.2, 1.0])), [0.1, 0.5, 0.4])


@needs_climada
@pytest.mark.filterwarnings("ignore")  # of other packages
def test_climada_reads_the_file(made, tmp_path) -> None:
    from climada.hazard import Hazard

    hazard = Footprint(made).to_climada(tmp_path / "vil.h5")
    hazard.check()
    read = Hazard.from_hdf5(tmp_path / "vil.h5")
    assert read.event_name == hazard.event_name
    assert abs(read.intensity - hazard.intensity).max() == 0
