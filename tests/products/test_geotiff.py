"""GeoTIFF: every pixel where it belongs, whichever way the grid runs."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.products.files.geotiff import bands_of, write_geotiff

rasterio = pytest.importorskip(
    "rasterio", reason="rasterio is not installed; it comes with the extra 'geo'"
)
BOTH = (False, True)
PLACES = [
    {"crs": "EPSG:3035", "origin": (3e6, 4e6)},
    {"step": 384.0},
    {"crs": "EPSG:4326", "degrees": True, "step": 0.1, "origin": (45.0, 7.0)},
    {"crs": "EPSG:4326", "degrees": True, "step": 0.1, "origin": (45.0, 190.0)},
]


@pytest.mark.parametrize(
    ("place", "turned"),
    list(itertools.product(range(len(PLACES)), itertools.product(BOTH, BOTH))),
)
def test_known_pixels_are_at_known_places(
    tmp_path, grid_of, footprint_of, place, turned
) -> None:
    grid = grid_of(**PLACES[place], down=turned[0], left=turned[1])
    made = footprint_of(grid)
    path = write_geotiff(made, tmp_path / "risk.tif")
    array = made.window_probability
    with rasterio.open(path) as file:
        assert file.transform.e < 0 < file.transform.a
        crs = rasterio.crs.CRS.from_user_input(PLACES[place].get("crs", grid.crs))
        assert file.crs == crs
        turn = 360.0 if grid.degrees and grid.x.min() > 180 else 0.0
        dy, dx = grid.steps
        edges = (
            *(grid.x.min() - dx / 2 - turn, grid.y.min() - dy / 2),
            *(grid.x.max() + dx / 2 - turn, grid.y.max() + dy / 2),
        )
        np.testing.assert_allclose(file.bounds, edges)
        for row, column in itertools.product((0, 1, 3, 7), (0, 2, 10)):
            x, y = grid.x[column] - turn, grid.y[row]
            (found,) = file.sample([(x, y)])
            np.testing.assert_array_equal(found, array[:, row, column])
            # a pixel reaches half a step about its centre
            (found,) = file.sample([(x + 0.49 * dx, y - 0.49 * dy)])
            np.testing.assert_array_equal(found, array[:, row, column])


def test_what_the_file_says(made, tmp_path) -> None:
    with rasterio.open(write_geotiff(made, tmp_path / "risk.tif")) as file:
        assert file.descriptions == ("vil >= 3.5 kg m-2", "vil >= 12 kg m-2")
        assert file.dtypes == ("float32", "float32")
        assert np.isnan(file.nodata)
        assert np.isnan(file.read(1)).sum() == 1
        tags = file.tags()
        assert tags["recipe"] == "steps"
        assert tags["training_data"] == "0a1b"
        assert tags["calibration"] == "none"
        assert tags["reference_time"] == "2019-06-01T12:00:00Z"
        assert tags["stormfusion"] == "0.1.0.dev0"
        assert tags["quantity"] == "window_probability"
        assert tags["AREA_OR_POINT"] == "Area"
        assert file.tags(2)["units"] == "1"
    assert [found.name for found in tmp_path.iterdir()] == ["risk.tif"]


def test_it_is_cloud_optimized(tmp_path) -> None:
    grid = Grid(1000.0 * np.arange(600), 1000.0 * np.arange(700), "EPSG:3035")
    risk = np.random.default_rng(0).random((600, 700), dtype=np.float32)
    made = xr.Dataset({"window_mean": (("y", "x"), risk)}, grid.coords())
    with rasterio.open(write_geotiff(made, tmp_path / "a.tif", "window_mean")) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.block_shapes == [(256, 256)]
        assert file.overviews(1) == [2, 4]
        # from afar a map shows means, which a probability stays one of
        near = risk[::-1][:2, :2].mean()
        assert file.read(1, out_shape=(300, 350))[0, 0] == pytest.approx(near, rel=1e-5)
        assert file.compression.name == "deflate"


def test_bands_are_what_is_asked_for(made) -> None:
    texts = [text for text, _ in bands_of(made, "probability")]
    assert texts[:2] == ["vil >= 3.5 kg m-2, +5 min", "vil >= 3.5 kg m-2, +10 min"]
    ((text, values),) = bands_of(
        made, "probability", hazard="vil >= 12 kg/m^2", lead="10min"
    )
    assert text == "vil >= 12 kg m-2, +10 min"
    np.testing.assert_array_equal(values, made.probability[1, 1])
    ((text, values),) = bands_of(
        made, "percentile", quantile=0.9, lead=np.timedelta64(5, "m")
    )
    assert text == "percentile 90, +5 min"
    np.testing.assert_array_equal(values, made.percentile[2, 0])
    assert [text for text, _ in bands_of(made, "mean")] == ["+5 min", "+10 min"]
    assert [text for text, _ in bands_of(made, "accumulation")] == ["accumulation"]
    plain = made.drop_vars(["lead", "time"])
    assert [text for text, _ in bands_of(plain, "mean")] == ["lead 0", "lead 1"]
    turned = made.transpose("x", "lead", "y", "quantile", "hazard")
    for one, other in zip(
        bands_of(made, "percentile"), bands_of(turned, "percentile"), strict=True
    ):
        np.testing.assert_array_equal(one[1], other[1])


def test_what_the_footprint_does_not_have(made) -> None:
    with pytest.raises(ValueError, match=r"variable is 'vil', wanted a map of this f"):
        bands_of(made, "vil")
    with pytest.raises(ValueError, match=r"a map of this footprint: probability"):
        bands_of(made, "displacement")
    with pytest.raises(ValueError, match=r"has no lead; leave it out, or write 'prob"):
        bands_of(made, "window_probability", lead="5min")
    with pytest.raises(ValueError, match=r"quantile is 0.9, but 'mean' has no quantil"):
        bands_of(made, "mean", quantile=0.9)
    with pytest.raises(ValueError, match=r"lead is '7 min', wanted one of .* 5 min, 1"):
        bands_of(made, "mean", lead="7min")


def test_projections_that_cannot_be_written(
    tmp_path, monkeypatch, grid_of, footprint_of
) -> None:
    path = tmp_path / "risk.tif"
    with pytest.raises(GridMismatchError, match=r"is unknown, wanted one for a GeoTIF"):
        write_geotiff(footprint_of(grid_of(crs=None)), path)
    pole = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18"
    turned = grid_of(crs=pole, degrees=True, step=0.1)
    with pytest.raises(GridMismatchError, match=r"none that GeoTIFF can hold; write"):
        write_geotiff(footprint_of(turned), path)
    assert not path.exists()


def test_without_rasterio_the_extra_is_named(made, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs rasterio, .*fusion\[geo\]"):
        write_geotiff(made, tmp_path / "risk.tif")
