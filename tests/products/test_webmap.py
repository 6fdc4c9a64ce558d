"""The interactive map as a file: what it holds, and that it holds nothing else."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.products.pages import (
    COLUMNS,
    HAZARDS,
    LEADS,
    ROWS,
    Page,
    dataset,
    footprint,
)

from stormfusion import Footprint
from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid
from stormfusion.products.pages import webmap

NASTY = '</script><b onclick="x()">&amp;\u2028'


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    return Page(footprint().to_html(tmp_path_factory.mktemp("map") / "map.html"))


def test_a_map_has_every_field_north_up(page: Page) -> None:
    data = dataset()
    for hazard in range(2):
        for lead in range(LEADS):
            expected = data.probability[hazard, lead].values[::-1]
            found = page.values("probability", hazard=hazard, stop=lead)
            np.testing.assert_allclose(found, expected, atol=1e-6)
        expected = data.window_probability[hazard].values[::-1]
        np.testing.assert_allclose(page.values("probability", hazard=hazard), expected)
    for number, share in enumerate((10, 50, 90)):
        expected = data.percentile[number, 1].values[::-1]
        found = page.values(f"percentile {share}", stop=1)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(page.values("mean", stop=0), data["mean"][0][::-1])
    assert (page.codes("probability")[:, :2] == 255).all()


@pytest.mark.parametrize("flipped", [("y",), ("x",), ("y", "x")])
def test_rows_and_columns_may_run_either_way(flipped, page: Page, tmp_path) -> None:
    turned = dataset().isel({dim: slice(None, None, -1) for dim in flipped})
    other = Footprint(turned).to_html(tmp_path / "other.html")
    assert other.read_text(encoding="utf-8") == page.text


def test_never_is_not_missing(page: Page) -> None:
    codes = page.codes("arrival")
    risk = dataset().window_probability[0].values[::-1]
    assert (codes[:, :2] == 255).all()
    assert ((codes == 254) == (risk == 0)).all()
    assert page.layer("arrival")["frames"][0][:LEADS] == [None] * LEADS


def test_of_an_unknown_pixel_no_arrival_is_told(tmp_path) -> None:
    data = dataset()
    data["arrival"][:] = 20.0
    page = Page(Footprint(data).to_html(tmp_path / "map.html"))
    assert (page.codes("arrival")[:, :2] == 255).all()
    bare = data.drop_vars(["window_probability", "probability"])
    page = Page(Footprint(bare).to_html(tmp_path / "map.html"))
    assert (page.values("arrival") == 20.0).all()


def test_a_map_tells_leads_times_and_hazards(page: Page) -> None:
    stops = page.content["stops"]
    assert [stop["label"] for stop in stops] == [
        *("+10 min", "+20 min", "+30 min"),
        "any time",
    ]
    assert stops[1]["time"] == "2019-06-01 12:20 UTC"
    assert stops[-1]["time"] == "2019-06-01 12:00 to 12:30 UTC"
    assert page.content["reference"] == "2019-06-01 12:00 UTC"
    assert page.content["hazards"][0] == "rain rate ≥ 5 mm h⁻¹"
    assert page.content["title"] == "Footprint of the next 30 min"
    for text in ("2019-06-01 12:00 UTC", "steps", "<td>20</td>", "1 km"):
        assert text in page.facts()


def test_times_may_be_absent(tmp_path) -> None:
    data = dataset().drop_vars(["time", "reference_time"])
    page = Page(Footprint(data).to_html(tmp_path / "map.html"))
    assert {stop["time"] for stop in page.content["stops"]} == {""}
    assert "unknown" in page.facts()


def test_areas_are_those_of_the_pixels(page: Page) -> None:
    data, levels = dataset(), page.content["levels"]
    assert levels == [0.1, 0.3, 0.5, 0.7, 0.9]
    for hazard in range(2):
        for number, level in enumerate(levels):
            # an event is value >= level, in single precision
            some = data.window_probability[hazard].values >= np.float32(level)
            found = page.content["areas"][hazard][LEADS][number]
            assert found == pytest.approx(some.sum(), rel=1e-3)
    area = footprint().area(levels).window_area
    told = [hazard[LEADS] for hazard in page.content["areas"]]
    np.testing.assert_allclose(told, area, rtol=1e-3)


def test_the_page_asks_for_no_network(page: Page) -> None:
    assert "default-src 'none'" in page.text
    addresses = set(re.findall(r"\bhttps?://[^\s\"'<>]+", page.text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not {"link", "img", "iframe", "object"} & set(page.elements.tags)
    assert " style=" not in page.text  # the policy would not let it


def test_texts_are_only_texts(page: Page, tmp_path) -> None:
    data = dataset().assign_coords(hazard=[NASTY, "rain_rate >= 20 mm h-1"])
    data.attrs |= {"recipe": NASTY, "calibration": "</table><script>y()</script>"}
    path = Footprint(data).to_html(
        tmp_path / "map.html", title=NASTY, places={NASTY: (46.1, 8.2)}
    )
    nasty = Page(path)
    assert nasty.elements.tags.count("b") == 0
    assert nasty.elements.tags.count("script") == page.elements.tags.count("script")
    assert nasty.elements.scripts.keys() == page.elements.scripts.keys()
    assert nasty.content["title"] == NASTY
    assert nasty.content["places"][0]["name"] == NASTY
    assert NASTY not in nasty.text


def test_it_tells_how_far_members_displace_a_hazard(page: Page, tmp_path) -> None:
    assert page.content["displaced"] == [[None] * (LEADS + 1)] * 2
    far = np.array([[1.5, np.nan, np.inf], [2.0, 3.0, 4.0]])
    data = dataset().assign(
        displacement=(("hazard", "lead"), far),
        window_displacement=("hazard", [5.25, np.inf]),
    )
    page = Page(Footprint(data).to_html(tmp_path / "map.html"))
    first, second = page.content["displaced"]
    assert first == [1.5, None, "apart", 5.25]
    assert second == [2.0, 3.0, 4.0, "apart"]


def test_a_template_is_filled_once(tmp_path) -> None:
    path = footprint().to_html(tmp_path / "map.html", title="{{script}} {{facts}}")
    assert Page(path).content["title"] == "{{script}} {{facts}}"


def test_some_hazards_in_the_order_asked_for(tmp_path) -> None:
    path = footprint().to_html(tmp_path / "map.html", hazards=[HAZARDS[1], HAZARDS[0]])
    page, data = Page(path), dataset()
    assert page.content["hazards"][0] == "rain rate ≥ 20 mm h⁻¹"
    expected = data.probability[1, 1].values[::-1]
    np.testing.assert_allclose(page.values("probability", stop=1), expected, atol=1e-6)
    area = int((data.window_probability[1] >= 0.5).sum())
    assert page.content["areas"][0][LEADS][2] == pytest.approx(area, rel=1e-3)
    one = Page(footprint().to_html(tmp_path / "map.html", hazards="rain_rate>=20mm/h"))
    assert one.content["hazards"] == ["rain rate ≥ 20 mm h⁻¹"]


@pytest.mark.parametrize(
    ("hazards", "error", "words"),
    [
        ("rain_rate >= 7 mm h-1", ValueError, "it has 'rain_rate >= 5 mm h-1'"),
        ([HAZARDS[0]] * 2, ValueError, "name one twice"),
        ([5.0], TypeError, "wanted one of"),
    ],
)
def test_hazards_that_are_not_there(hazards, error, words, tmp_path) -> None:
    with pytest.raises(error, match=words):
        footprint().to_html(tmp_path / "map.html", hazards=hazards)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("levels", "error"),
    [
        ([0.0], ValueError),
        ([1.1], ValueError),
        ([0.5, 0.5], ValueError),
        ([float("nan")], ValueError),
        ("0.5", TypeError),
        (0.5, TypeError),
        ([None], TypeError),
    ],
)
def test_probabilities_of_lines(levels, error, tmp_path) -> None:
    with pytest.raises(error, match="above 0 up to 1, each once"):
        footprint().to_html(tmp_path / "map.html", probabilities=levels)


def test_a_map_may_have_no_lines(tmp_path) -> None:
    page = Page(footprint().to_html(tmp_path / "map.html", probabilities=()))
    assert page.content["levels"] == []


def test_large_domains_show_the_largest_of_each_block(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(webmap, "MOST_PIXELS", 200)
    page, data = Page(footprint().to_html(tmp_path / "map.html")), dataset()
    assert page.content["factor"] == 3
    assert (page.content["rows"], page.content["columns"]) == (ROWS, COLUMNS)
    field = data.probability[0, 0].values[::-1]
    blocks = [
        [field[r : r + 3, c : c + 3] for c in range(0, COLUMNS, 3)]
        for r in range(0, ROWS, 3)
    ]
    expected = [[np.nanmax(block) for block in row] for row in blocks]
    found = page.values("probability", stop=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # areas are those of the footprint itself
    area = int((data.window_probability[0] >= 0.5).sum())
    assert page.content["areas"][0][LEADS][2] == pytest.approx(area, rel=1e-3)
    assert "3 \N{MULTIPLICATION SIGN} 3 pixels of the footprint" in page.facts()
    soon = data.arrival[0].values[::-1]
    earliest = np.nanmin(soon[9:12, 9:12])
    assert page.values("arrival")[3, 3] == earliest


def test_all_maps_together_are_not_too_many(tmp_path, monkeypatch) -> None:
    # 8 of probability, 12 of percentiles, 3 of the mean, 6 of arrival
    pixels = 29 * ROWS * COLUMNS
    for most, factor in ((pixels, 1), (pixels - 1, 2)):
        monkeypatch.setattr(webmap, "MOST_VALUES", most)
        page = Page(footprint().to_html(tmp_path / "map.html"))
        assert page.content["factor"] == factor


def test_a_file_does_not_grow_too_large(tmp_path, monkeypatch) -> None:
    size = footprint().to_html(tmp_path / "map.html").stat().st_size
    monkeypatch.setattr(webmap, "LARGEST", size - 1)
    page = Page(footprint().to_html(tmp_path / "map.html"))
    assert page.content["factor"] == 2


def test_places_on_the_map(tmp_path) -> None:
    spots = {"Here": (46.1, 8.2), "Far": (0.0, 0.0)}
    with pytest.warns(UserWarning, match="1 of 2 places lie outside of the domain"):
        path = footprint().to_html(tmp_path / "map.html", places=spots)
    page = Page(path)
    (here,) = page.content["places"]
    # 15.5 km east and 11 km north of the first pixel's centre
    assert here["column"] == pytest.approx(15.48 + 0.5, abs=0.05)
    assert here["row"] == pytest.approx(ROWS - 0.5 - 11.13, abs=0.05)


@pytest.mark.parametrize("names", [("latitude", "longitude"), ("lat", "lon")])
def test_places_of_a_table(names, tmp_path) -> None:
    table = pd.DataFrame([(46.1, 8.2), (0.0, 0.0)], ["Here", "Far"], names)
    with pytest.warns(UserWarning, match="they are not on the map") as told:
        page = Page(footprint().to_html(tmp_path / "map.html", places=table))
    assert told[0].filename == __file__
    assert [place["name"] for place in page.content["places"]] == ["Here"]
    with pytest.raises(ValueError, match="wanted latitude and longitude"):
        footprint().to_html(tmp_path / "no.html", places=table[[names[0]]])


@pytest.mark.parametrize(
    ("places", "error", "words"),
    [
        ([(46.1, 8.2)], TypeError, "are a list"),
        ({"Here": 46.1}, TypeError, "the place 'Here' is at 46.1"),
        ({"Here": ("46", 8)}, TypeError, "wanted names with latitude"),
        ({"Here": (8.2, 461.0)}, ValueError, "wanted a latitude from -90"),
        ({"Here": (-98.0, 38.0)}, ValueError, "check their order"),
        ({"Here": (float("nan"), 38.0)}, ValueError, "check their order"),
    ],
)
def test_places_that_are_none(places, error, words, tmp_path) -> None:
    with pytest.raises(error, match=words):
        footprint().to_html(tmp_path / "map.html", places=places)


def test_without_a_projection_places_are_not_found(tmp_path) -> None:
    grid = Grid(np.arange(ROWS) * 1e3, np.arange(COLUMNS) * 1e3)
    unknown = footprint(grid=grid)
    page = Page(unknown.to_html(tmp_path / "map.html"))
    assert page.content["net"] is None
    assert page.content["areas"][0][LEADS][0] is not None
    with pytest.raises(GridMismatchError, match="leave places out"):
        unknown.to_html(tmp_path / "map.html", places={"Here": (46.1, 8.2)})


def test_without_coordinates_y_points_up(tmp_path) -> None:
    bare = dataset().drop_vars(["y", "x", "crs"])
    page = Page(Footprint(bare).to_html(tmp_path / "map.html"))
    expected = dataset().probability[0, 0].values[::-1]
    np.testing.assert_allclose(page.values("probability", stop=0), expected, atol=1e-6)
    assert page.content["kind"] == "pixel"
    assert page.content["areas"][0][LEADS][0] is None


def test_uneven_pixels_are_refused(tmp_path) -> None:
    uneven = dataset().assign_coords(x=np.arange(COLUMNS) ** 2.0)
    with pytest.raises(GridMismatchError, match="wanted even spacing"):
        Footprint(uneven).to_html(tmp_path / "map.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "kept",
    [
        ("window_probability",),
        ("probability",),
        ("percentile", "window_percentile"),
        ("mean",),
    ],
)
def test_what_there_is_is_shown(kept, tmp_path) -> None:
    data = dataset()[list(kept)]
    if "hazard" not in data.dims:
        data = data.drop_vars("hazard", errors="ignore")
    page = Page(Footprint(data).to_html(tmp_path / "map.html"))
    names = {each["name"].split()[0] for each in page.content["layers"]}
    assert names == {each.removeprefix("window_") for each in kept}


def test_a_footprint_of_nothing_drawable(tmp_path) -> None:
    risk = dataset()[["probability"]]
    with pytest.raises(ValueError, match="nothing of this footprint can be drawn"):
        Footprint(risk).to_html(tmp_path / "map.html", hazards=[])


def test_leads_without_a_coordinate_are_refused(tmp_path) -> None:
    data = dataset().drop_vars(["lead", "time"])
    with pytest.raises(ValueError, match="wanted timedelta64"):
        Footprint(data).to_html(tmp_path / "map.html")


def test_a_field_without_any_data_is_shown(tmp_path) -> None:
    data = dataset()
    for name in ("probability", "percentile", "mean", "arrival"):
        data[name] = xr.full_like(data[name], np.nan)
    page = Page(Footprint(data).to_html(tmp_path / "map.html"))
    assert (page.codes("probability", stop=0) == 255).all()
    assert (page.codes("mean", stop=0) == 255).all()


def test_it_tells_how_much_is_unknown(page: Page, tmp_path) -> None:
    assert page.content["unknown"] == [[0.05] * (LEADS + 1)] * 2  # 2 of 40 columns
    assert page.content["partly"] == [False, False]
    data = dataset()
    some = (data.x > 10e3) | (data.hazard == HAZARDS[1])
    data["window_probability"] = data.window_probability.where(some)
    made = Page(Footprint(data).to_html(tmp_path / "map.html"))
    # 11 columns, of which leads know 9
    assert made.content["unknown"] == [[*[0.05] * LEADS, 0.275], [0.05] * (LEADS + 1)]
    assert made.content["partly"] == [True, False]
    codes = made.codes("probability")
    assert (codes[:, :2] == 255).all()
    assert (codes[:, 2:11] == 253).all()
    assert (codes[:, 11:] <= 200).all()
    assert (made.codes("probability", hazard=1) != 253).all()


def test_pixels_beside_the_earth_have_no_place(tmp_path) -> None:
    # from where a satellite stands, at the western rim; warnings are errors
    crs = "+proj=geos +h=35785831 +lon_0=0 +sweep=y"
    x = -5.45e6 + 3e3 * np.arange(COLUMNS)
    grid = Grid(3e3 * np.arange(ROWS), x, crs)
    page = Page(footprint(grid=grid).to_html(tmp_path / "map.html"))
    assert page.content["net"] is not None
    text = footprint(grid=grid).report(tmp_path / "b.html").read_text("utf-8")
    assert "km²" in text
