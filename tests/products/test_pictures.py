"""Pictures of footprints: arrival times, films and files."""

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from tests.products.pages import HAZARDS, LEADS, dataset, footprint

from stormfusion import Footprint, plot
from stormfusion.plot import canvas
from stormfusion.plot.colors import times
from stormfusion.plot.extents import extents


def image(ax) -> np.ma.MaskedArray:
    return ax.images[0].get_array()


# --- arrival


@pytest.mark.parametrize("turned", [False, True])
def test_arrival_is_drawn_where_it_is_likely(turned) -> None:
    data = dataset()
    figure = plot.arrival(data.isel(y=slice(None, None, -1)) if turned else data)
    for number, ax in enumerate(figure.axes[:2]):
        drawn = image(ax)
        risk = data.window_probability[number].values
        likely = risk >= np.float32(0.1)
        np.testing.assert_array_equal(drawn.mask, np.isnan(risk))
        expected = data.arrival[number].values[likely]
        np.testing.assert_array_equal(drawn[likely], expected)
        assert (drawn[(risk < 0.1)] < 0).all()  # bare
    assert figure.axes[0].get_title(loc="left") == "rain rate ≥ 5 mm h⁻¹"
    assert "2019-06-01 12:00 UTC" in figure.get_suptitle()


def test_arrival_of_one_hazard() -> None:
    figure = plot.arrival(dataset(), hazard=HAZARDS[1], title="soon")
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles[0] == "rain rate ≥ 20 mm h⁻¹"
    assert "rain rate ≥ 5 mm h⁻¹" not in titles
    assert figure.get_suptitle() == "soon"


def test_least_may_be_zero() -> None:
    data = dataset()
    drawn = image(plot.arrival(data, least=0.0).axes[0])
    some = data.window_probability[0].values > 0
    assert (drawn[some] > 0).all()


def test_without_probabilities_all_arrivals_are_drawn() -> None:
    data = dataset().drop_vars(["window_probability", "probability"])
    drawn = image(plot.arrival(data).axes[0])
    known = np.isfinite(data.arrival[0].values)
    assert (drawn[known] > 0).all()
    assert not np.ma.getmaskarray(drawn).any()


def test_a_hazard_that_never_comes_is_said_so() -> None:
    data = dataset()
    data["arrival"][:] = np.nan
    words = [text.get_text() for text in plot.arrival(data).axes[0].texts]
    assert "in no member" in words


def test_an_arrival_map_of_a_file(tmp_path) -> None:
    plot.arrival(dataset(), path=tmp_path / "arrival.png")
    assert [path.name for path in tmp_path.iterdir()] == ["arrival.png"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"hazard": "rain_rate >= 7 mm h-1"}, ValueError, "choose one of them"),
        ({"least": 1.5}, ValueError, "from 0 to 1"),
        ({"least": "much"}, ValueError, "from 0 to 1"),
    ],
)
def test_what_arrival_refuses(given, error, words) -> None:
    with pytest.raises(error, match=words):
        plot.arrival(dataset(), **given)


def test_arrival_needs_arrivals() -> None:
    with pytest.raises(ValueError, match="has no arrival times"):
        plot.arrival(dataset().drop_vars("arrival"))
    with pytest.raises(TypeError, match=r"Footprint\.dataset"):
        plot.arrival(dataset()["arrival"])


def test_what_comes_soon_is_dark() -> None:
    brush = times(60.0)
    shades = brush.cmap(brush.norm(np.array([0.0, 20.0, 40.0, 60.0])))
    light = shades[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > 0).all()
    assert brush.cmap(brush.norm(-1.0))[3] == 0


# --- footprints


def test_a_footprint_shows_arrival_on_demand() -> None:
    made = footprint()

    def labels(figure):
        return [bar.get_ylabel() for ax in figure.axes for bar in ax.child_axes]

    assert "median arrival [min]" not in labels(made.plot())
    figure = made.plot(arrival=True)
    assert "median arrival [min]" in labels(figure)
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert titles.count("rain rate ≥ 5 mm h⁻¹") == 1
    assert "arrival of rain rate ≥ 5 mm h⁻¹" in titles
    with pytest.raises(ValueError, match="has no arrival times"):
        Footprint(dataset().drop_vars("arrival")).plot(arrival=True)


def test_a_footprint_goes_into_a_file(tmp_path) -> None:
    footprint().plot(path=tmp_path / "footprint.png", title="one", quantile=0.5)
    with Image.open(tmp_path / "footprint.png") as picture:
        assert picture.width > 600


# --- films


@pytest.mark.parametrize("hazards", [None, HAZARDS[0]])
def test_a_film_has_a_frame_for_each_lead(hazards, tmp_path) -> None:
    path = footprint().animate(tmp_path / "storm.gif", hazards=hazards, fps=4)
    with Image.open(path) as film:
        assert film.n_frames == LEADS
        frames = []
        for number in range(LEADS):
            film.seek(number)
            assert film.info["duration"] == 250
            frames.append(np.asarray(film.convert("RGB")))
    assert not np.array_equal(frames[0], frames[1])
    wide = frames[0].shape[1] > 800
    assert wide == (hazards is None)


def test_a_film_says_when_nothing_is_known_yet(tmp_path, monkeypatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(canvas, "note", lambda ax, text, **_: told.append(text))
    data = dataset()
    chance = data.probability.copy()
    chance[0, 0], chance[1] = np.nan, np.nan
    Footprint(data.assign(probability=chance)).animate(tmp_path / "storm.gif")
    leads = chance.sizes["lead"]
    assert sorted(told) == ["no data"] * leads + ["not known yet"]


def test_a_film_is_the_same_for_rows_of_either_order(tmp_path) -> None:
    turned = Footprint(dataset().isel(y=slice(None, None, -1)))
    one = footprint().animate(tmp_path / "one.gif", title="storm")
    other = turned.animate(tmp_path / "other.gif", title="storm")
    assert one.read_bytes() == other.read_bytes()


def test_what_a_film_refuses(tmp_path) -> None:
    path = tmp_path / "storm.gif"
    with pytest.raises(ValueError, match="no probability by lead time"):
        Footprint(dataset().drop_vars("probability")).animate(path)
    with pytest.raises(ValueError, match="got no hazard"):
        footprint().animate(path, hazards=[])
    with pytest.raises(ValueError, match="this footprint has no hazard"):
        footprint().animate(path, hazards="rain_rate >= 7 mm h-1")
    with pytest.raises(ValueError, match=r"\.gif or \.mp4"):
        footprint().animate(tmp_path / "storm.png")
    with pytest.raises(ValueError, match="fps must be a positive number"):
        footprint().animate(path, fps=0)
    assert list(tmp_path.iterdir()) == []


# --- areas


def test_areas_are_drawn_by_lead() -> None:
    sizes = np.array([[[5.0, 1.0], [9.0, np.nan]]])
    figure = extents(sizes, leads=[5, 10], hazards=["storm"], levels=[0.1, 0.5])
    (ax,) = figure.axes
    assert [line.get_label() for line in ax.lines] == ["10% or more", "50% or more"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [5, 9])
    nothing = np.full((1, 2, 1), np.nan)
    figure = extents(nothing, leads=[5, 10], hazards=["storm"], levels=[0.1])
    assert [text.get_text() for text in figure.axes[0].texts] == ["no data"]


def test_xarray_keeps_its_attributes() -> None:
    data = dataset()
    before = data.copy(deep=True)
    made = Footprint(data)
    made.plot(arrival=True)
    xr.testing.assert_identical(data, before)
