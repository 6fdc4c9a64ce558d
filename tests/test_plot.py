import pickle
import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from PIL import Image

from stormfusion import plot
from stormfusion.errors import MissingExtraError
from stormfusion.plot import colors, coords, films, panels

LEADS = np.array([10, 20, 30], dtype="timedelta64[m]").astype("timedelta64[ns]")
START = np.datetime64("2019-06-02T18:00", "ns")


def map_of(values, *, name="vil", units="kg m-2", flip=False, spacing=1000.0, **kwargs):
    values = np.asarray(values, dtype=float)
    rows, columns = values.shape[-2:]
    y = (np.arange(rows) + 0.5) * spacing
    x = (np.arange(columns) + 0.5) * spacing
    array = xr.DataArray(
        values,
        dims=(*kwargs.get("dims", ()), "y", "x"),
        coords={
            "y": ("y", y, {"units": "m"}),
            "x": ("x", x, {"units": "m"}),
            **kwargs.get("coords", {}),
        },
        name=name,
        attrs={"units": units, "long_name": "liquid"},
    )
    return array.isel(y=slice(None, None, -1)) if flip else array


@pytest.fixture
def storm():
    """Leads 10, 20 and 30 min after START: lead i is i + 1 kg m-2, a corner is NaN."""
    values = np.broadcast_to(np.arange(1.0, 4.0)[:, None, None], (3, 6, 8)).copy()
    values[:, :2, :2] = np.nan
    return map_of(
        values,
        dims=("lead",),
        coords={
            "lead": LEADS,
            "time": ("lead", START + LEADS),
            "reference_time": START,
        },
    )


def rgba(figure, east, north, *, ax=0):
    """Colour drawn at a place of the ground, given in the units of the coordinates."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())
    across, up = figure.axes[ax].transData.transform((east, north))
    return tuple(pixels[pixels.shape[0] - 1 - round(up), round(across)] / 255.0)


def maps(figure):
    return [ax for ax in figure.axes if ax.images]


# --- the field


@pytest.mark.parametrize("flip", [False, True])
def test_north_is_drawn_above_whatever_the_order_of_the_rows(flip):
    values = np.zeros((4, 4))
    values[3, 0] = 50.0  # north-west, at y = 3.5 km
    figure = plot.field(map_of(values, flip=flip))
    ax = figure.axes[0]
    assert ax.get_ylim() == (0.0, 4000.0)
    assert ax.get_xlim() == (0.0, 4000.0)
    top = colors.TABLES["vil"].colors[-1]
    assert rgba(figure, 500.0, 3500.0) == pytest.approx(to_rgba(top), abs=0.01)
    assert rgba(figure, 500.0, 500.0) == pytest.approx((1, 1, 1, 1))
    north = ax.transData.transform((500.0, 3500.0))[1]
    assert north > ax.transData.transform((500.0, 500.0))[1]


def test_columns_that_run_west_are_drawn_east():
    values = np.zeros((2, 3))
    values[:, 0] = 50.0
    array = map_of(values)
    for drawn in (array, array.isel(x=slice(None, None, -1))):
        image = plot.field(drawn).axes[0].images[0]
        np.testing.assert_array_equal(image.get_array()[0], [50.0, 0.0, 0.0])


def test_axes_say_kilometres_and_keep_metres():
    figure = plot.field(
        map_of(
            np.ones((4, 4)),
        )
    )
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x [km]", "y [km]")
    assert ax.get_aspect() == 1.0
    assert ax.xaxis.get_major_formatter()(-2500.0, 0) == "\N{MINUS SIGN}2.5"


def test_degrees_are_named_and_stretched():
    array = xr.DataArray(
        np.ones((3, 3)),
        coords={
            "y": ("y", [61.0, 60.0, 59.0], {"units": "degrees_north"}),
            "x": ("x", [1.0, 2.0, 3.0], {"units": "degrees_east"}),
        },
        name="rain_rate",
    )
    ax = plot.field(array).axes[0]
    assert ax.get_xlabel() == "longitude [degrees]"
    assert ax.get_ylabel() == "latitude [degrees]"
    assert ax.get_aspect() == pytest.approx(2.0)


def test_without_coordinates_axes_count_pixels():
    ax = plot.field(xr.DataArray(np.ones((2, 3)), dims=("y", "x"))).axes[0]
    assert ax.get_xlabel() == "x [pixel]"


def test_uneven_coordinates_are_drawn_where_they_are():
    array = map_of(np.ones((2, 3))).assign_coords(x=("x", [0.0, 1.0, 5.0]))
    ax = plot.field(array).axes[0]
    assert not ax.images
    assert ax.collections


def test_dims_in_another_order_and_spare_ones_of_length_one():
    array = map_of([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    turned = array.transpose("x", "y").expand_dims("member")
    image = plot.field(turned).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), array.values)


def test_colour_bar_has_long_name_and_units_and_the_levels():
    bar = plot.field(map_of(np.ones((3, 3)))).axes[0].child_axes[0]
    assert bar.get_ylabel() == "liquid [kg m⁻²]"
    words = [text.get_text() for text in bar.get_yticklabels()]
    assert " ".join(words) == "0.154 0.257 0.527 0.775 1.51 3.53 7.07 12.1 32.2"
    assert not plot.field(map_of(np.ones((3, 3))), colorbar=False).axes[0].child_axes


def test_missing_is_grey_and_told_and_dry_is_bare():
    values = np.zeros((4, 4))
    values[0, 0] = np.nan
    values[3, 3] = 5.0
    figure = plot.field(map_of(values))
    grey = to_rgba(colors.MISSING)
    assert rgba(figure, 500.0, 500.0) == pytest.approx(grey, abs=0.01)
    assert rgba(figure, 2500.0, 500.0) == pytest.approx((1, 1, 1, 1))
    note = figure.axes[0].child_axes[0].get_legend()
    assert [text.get_text() for text in note.get_texts()] == ["no data"]
    dry = plot.field(map_of(np.nan_to_num(values)))
    assert dry.axes[0].child_axes[0].get_legend() is None


@pytest.mark.parametrize("cmap", ["standard", "safe", "magma"])
def test_dry_pixels_are_transparent_and_levels_belong_to_their_class(cmap):
    for table in colors.TABLES.values():
        if not isinstance(table, colors.Classes):
            continue
        unit = table.units[0] if table.units else ""
        name = next(n for n, t in colors.TABLES.items() if t is table)
        brush = colors.paint(
            [map_of(np.ones((2, 2)), name=name, units=unit)], cmap=cmap
        )
        single = np.asarray(table.levels, dtype=np.float32)
        drawn = brush.cmap(brush.norm(single))
        assert len(np.unique(drawn, axis=0)) == len(table.levels)
        assert (
            brush.cmap(brush.norm([table.levels[0] * 0.99, -np.inf]))[:, 3].max() == 0
        )
        assert brush.cmap(brush.norm(1e9)) == pytest.approx(drawn[-1])
        below = brush.cmap(brush.norm(np.asarray(table.levels[1:]) * 0.999))
        np.testing.assert_allclose(below, drawn[:-1])


def test_every_table_has_a_colour_for_each_level_and_never_the_missing_grey():
    for name, table in colors.TABLES.items():
        assert list(table.levels) == sorted(table.levels), name
        assert colors.MISSING not in table.colors
        if isinstance(table, colors.Classes):
            assert len(table.levels) == len(table.colors), name
        drawn = colors.paint(
            [map_of(np.ones((2, 2)), name=name, units=None)], cmap="safe"
        )
        assert tuple(drawn.cmap.get_bad()) == to_rgba(colors.MISSING)


def test_safe_colours_darken_evenly():
    brush = colors.paint([map_of(np.ones((2, 2)))], cmap="safe")
    light = np.asarray(brush.cmap.colors)[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) < 0).all()


def test_a_colormap_may_be_an_object():
    brush = colors.paint([map_of(np.ones((2, 2)))], cmap=colormaps["plasma"])
    assert brush.cmap(brush.norm(1e3)) == pytest.approx(colormaps["plasma"](1.0))


def test_names_that_have_no_table_are_known_by_their_units_or_drawn_evenly():
    known = map_of(np.ones((2, 2)), name="percentile", units="mm h-1")
    assert colors.table_of(known) is colors.TABLES["rain_rate"]
    other = map_of([[-3.0, np.nan], [np.inf, 7.0]], name="wind", units="m s-1")
    brush = colors.paint([other], cmap="standard")
    assert (brush.norm.vmin, brush.norm.vmax) == (-3.0, 7.0)
    flat = colors.paint([other * 0 + 2.0], cmap="standard")
    assert flat.norm.vmin < 2.0 < flat.norm.vmax
    plot.field(other)
    plot.field(other * np.nan)


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.nan, "no data"), (0.0, "nothing from 0.15 kg m⁻² up")],
)
def test_bare_maps_say_why(values, words):
    figure = plot.field(map_of(np.full((3, 3), values)))
    assert [text.get_text() for text in figure.axes[0].texts] == [words]


def test_satellite_and_whole_numbers_and_infinities():
    plot.field(map_of([[-40.0, np.nan], [10.0, 0.0]], name="ir107", units="degC"))
    plot.field(map_of(np.ones((2, 2)), name="lightning", units="flashes").astype(int))
    figure = plot.field(map_of([[-np.inf, 20.0]], name="reflectivity", units="dBZ"))
    assert figure.axes[0].images[0].get_array().count() == 2


def test_title_is_the_moment_and_wraps(storm):
    figure = plot.field(storm.isel(lead=1))
    assert figure.axes[0].get_title(loc="left") == "+20 min, 2019-06-02 18:20 UTC"
    figure = plot.field(storm.isel(lead=1), title="a word " * 30)
    assert figure.axes[0].get_title(loc="left").count("\n") >= 2


def test_given_axes_are_drawn_into_and_pyplot_is_not_needed():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plot.field(map_of(np.ones((3, 3))), ax=right) is figure
    assert right.images
    assert not left.images


def test_figures_show_in_notebooks_and_can_be_pickled():
    figure = plot.field(map_of(np.ones((3, 3))))
    assert figure._repr_png_().startswith(b"\x89PNG")
    again = pickle.loads(pickle.dumps(figure))
    assert again._repr_png_().startswith(b"\x89PNG")


def test_lazy_arrays_are_not_changed():
    array = map_of([[np.nan, 2.0], [np.inf, 4.0]], flip=True)
    before = array.copy(deep=True)
    plot.field(array)
    xr.testing.assert_identical(array, before)


@pytest.mark.parametrize(
    ("array", "error", "words"),
    [
        (np.ones((2, 2)), TypeError, "ndarray.*name the dimensions"),
        (map_of(np.ones((2, 2))).to_dataset(), TypeError, "pick a variable"),
        (map_of(np.ones((2, 3, 3)), dims=("time",)), ValueError, r"\.isel\(time=-1\)"),
        (
            map_of(np.ones((2, 2))).rename(y="lat"),
            ValueError,
            "rename its dimensions|isel",
        ),
        (map_of(np.ones((0, 2))), ValueError, "no pixels"),
        (map_of(np.ones((2, 2)), units="g m-2"), ValueError, "'g m-2'.*'kg m-2'"),
        (
            map_of(np.ones((1, 3))).assign_coords(x=("x", [0.0, 2.0, 1.0])),
            ValueError,
            "sortby",
        ),
    ],
)
def test_what_cannot_be_drawn_says_what_to_do(array, error, words):
    with pytest.raises(error, match=words):
        colors.paint([coords.frame(array)], cmap="standard")


@pytest.mark.parametrize("dtype", [str, complex, "datetime64[ns]"])
def test_what_are_no_numbers_is_not_drawn(dtype):
    array = map_of(np.ones((2, 2))).astype(dtype)
    with pytest.raises(TypeError, match=r"array holds .*, wanted numbers; convert"):
        plot.field(array)


@pytest.mark.parametrize("draw", [plot.field, plot.probability])
def test_axes_and_paths_of_a_single_map(draw, tmp_path):
    array = map_of(np.full((3, 3), 0.5))
    draw(array, path=tmp_path / "map.png", title=3)
    assert (tmp_path / "map.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(TypeError, match=r"ax is 3, wanted matplotlib axes; make some"):
        draw(array, ax=3)
    with pytest.raises(
        TypeError, match=r"path is 3, wanted text or a Path; name the file"
    ):
        draw(array, path=3)
    for name in ("map", "map.exe"):
        with pytest.raises(
            ValueError, match=r"the ending of a picture, such as 'map.p"
        ):
            draw(array, path=tmp_path / name)


ODD = [None, "x", 3, np.zeros((2, 2)), [1.0]]


@pytest.mark.parametrize("odd", ODD, ids=["none", "text", "number", "array", "list"])
@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (plot.field, "array is .*, wanted an xarray.DataArray; pick"),
        (plot.probability, "array is .*, wanted an xarray.DataArray; pick"),
        (lambda a: plot.triplet(a, a, a), "input is .*, wanted an xarray.DataArray"),
        (plot.strip, "forecast is .*, wanted an xarray.DataArray"),
        (lambda a: plot.animate(a, "x.gif"), "array is .*, wanted an xarray.DataArray"),
        (plot.footprint, r"dataset is .*, wanted an xarray.Dataset; give Footprint"),
        (plot.reliability, r"dataset is .*, wanted an xarray.Dataset of scores; give"),
        (plot.scores, r"dataset is .*, wanted an xarray.Dataset of scores; give"),
        (plot.training, r"log is .*, wanted a DataFrame; give the log"),
    ],
)
def test_what_is_of_another_kind_is_told(draw, words, odd):
    with pytest.raises(TypeError, match=words):
        draw(odd)


def test_unknown_colormaps_are_named():
    array = map_of(np.ones((2, 2)))
    with pytest.raises(
        ValueError, match="unknown colormap 'virdis'; did you mean 'viri"
    ):
        plot.field(array, cmap="virdis")
    with pytest.raises(TypeError, match="cmap is a int"):
        plot.field(array, cmap=3)


# --- panels


def test_triplet_shares_colours_extent_and_one_bar(storm):
    observed = storm.swap_dims(lead="time").drop_vars(["lead", "reference_time"])
    start = map_of(
        np.full((2, 6, 8), 20.0), dims=("time",), coords={"time": [START] * 2}
    )
    figure = plot.triplet(start, observed, storm, lead="20 min")
    panels = maps(figure)
    assert len(panels) == 3
    assert len({id(ax.images[0].norm) for ax in panels}) == 1
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in panels}) == 1
    assert [len(ax.child_axes) for ax in panels] == [0, 0, 1]
    assert panels[0].images[0].get_array()[-1, -1] == 20.0
    assert panels[1].images[0].get_array()[-1, -1] == 2.0
    assert panels[2].images[0].get_array()[-1, -1] == 2.0
    assert panels[2].get_title(loc="left") == "forecast\n+20 min, 2019-06-02 18:20 UTC"


def test_triplet_of_maps_without_a_table_spans_them_all():
    parts = [map_of(np.full((3, 3), v), name="wind", units="m s-1") for v in (1, 5, 9)]
    norm = maps(plot.triplet(*parts))[0].images[0].norm
    assert (norm.vmin, norm.vmax) == (1.0, 9.0)


def test_triplet_draws_the_last_lead_and_saves_whole_files(storm, tmp_path):
    figure = plot.triplet(storm[0], storm, storm, path=tmp_path / "three.png")
    values = [ax.images[0].get_array()[-1, -1] for ax in maps(figure)]
    assert values == [1.0, 3.0, 3.0]
    assert [path.name for path in tmp_path.iterdir()] == ["three.png"]
    with pytest.raises(FileNotFoundError, match=r"does not exist.*make it first"):
        plot.triplet(storm[0], storm, storm, path=tmp_path / "no" / "three.png")


def test_triplet_refuses_leads_it_has_not(storm):
    with pytest.raises(ValueError, match=r"no lead time of 45 min.*10, 20, 30 min"):
        plot.triplet(storm[0], storm, storm, lead="45 min")
    with pytest.raises(TypeError, match="lead 20 has no unit; write '20 min'"):
        coords.at_lead(storm, 20, role="forecast")
    for odd in ("x", ["30 min"], {}):
        with pytest.raises(
            ValueError, match=r"lead is .*, wanted a time with its unit"
        ):
            plot.triplet(storm[0], storm, storm, lead=odd)
    timed = storm.swap_dims(lead="time").drop_vars("lead")
    with pytest.raises(
        ValueError, match=r"forecast has dims \(time, .*isel\(time=-1\)"
    ):
        plot.triplet(storm[0], timed, timed)
    with pytest.raises(ValueError, match="valid time of the forecast is not known"):
        plot.triplet(storm[0], timed, storm.drop_vars("time"))


def test_strip_has_rows_and_columns_and_common_colours(storm):
    observed = storm.swap_dims(lead="time").drop_vars(["lead", "reference_time"])
    late = observed.isel(time=slice(0, 2))  # 18:30 was not observed
    figure = plot.strip({"unet": storm, "steps": storm + 1}, observed=late)
    panels = maps(figure)
    assert len(panels) == 9
    assert len({id(ax.images[0].norm) for ax in panels}) == 1
    heads = [ax.get_title() for ax in panels[:3]]
    assert heads == ["+10 min", "+20 min", "+30 min"]
    assert [ax.get_ylabel() for ax in panels[::3]] == ["observed", "unet", "steps"]
    assert panels[1].images[0].get_array()[-1, -1] == 2.0
    assert panels[2].images[0].get_array().mask.all()
    assert [text.get_text() for text in panels[2].texts] == ["no data"]


def test_strip_of_named_leads_and_of_more_than_six(storm):
    figure = plot.strip(storm, leads=["30 min", np.timedelta64(10, "m")])
    assert [ax.get_title() for ax in maps(figure)] == ["+30 min", "+10 min"]
    many = storm.isel(lead=[0] * 12).drop_vars("time")
    many = many.assign_coords(lead=np.arange(1, 13) * np.timedelta64(300, "s"))
    heads = [ax.get_title() for ax in maps(plot.strip(many))]
    assert heads == [f"+{minute} min" for minute in range(10, 61, 10)]


@pytest.mark.parametrize(
    ("count", "names", "shape"), [(8, 1, (1, 8)), (20, 1, (4, 5)), (11, 2, (4, 6))]
)
def test_strip_of_many_leads_is_wrapped(storm, count, names, shape):
    leads = np.arange(1, count + 1) * np.timedelta64(300, "s")
    many = storm.isel(lead=[0] * count).drop_vars("time").assign_coords(lead=leads)
    figure = plot.strip({f"net{i}": many for i in range(names)}, leads=list(leads))
    figure.draw_without_rendering()
    panels = maps(figure)
    assert len(panels) == count * names
    boxes = np.array([ax.get_position().bounds for ax in panels])
    np.testing.assert_allclose(boxes[:, 2:], boxes[:1, 2:].repeat(len(boxes), 0))
    places = [np.unique(boxes[:, i].round(6)).size for i in (1, 0)]
    assert tuple(places) == shape
    heads = [ax.get_title() for ax in panels if ax.get_title()]
    assert heads == [f"+{5 * n} min" for n in range(1, count + 1)]
    ylabels = [ax.get_ylabel() for ax in panels if ax.get_ylabel()]
    assert ylabels == [f"net{i}" for i in range(names)] * (shape[0] // names)


@pytest.mark.parametrize(
    ("count", "first", "places"),
    [
        (20, False, [3, 7, 11, 15, 19]),
        (12, False, [1, 3, 5, 7, 9, 11]),
        (49, True, [0, 12, 24, 36, 48]),
        (4, True, [0, 1, 2, 3]),
    ],
)
def test_maps_are_evenly_spaced_in_time(count, first, places):
    assert panels._spread(count, first=first) == places


def test_strip_of_the_past_is_drawn_by_time():
    coords = {"time": pd.date_range("2019-06-02 18:00", periods=11, freq="5min")}
    past = map_of(np.ones((11, 3, 3)), dims=("time",), coords=coords)
    panels = maps(plot.strip(past))
    assert [ax.get_title()[-9:-4] for ax in panels] == [
        f"18:{minute:02}" for minute in range(0, 51, 10)
    ]
    assert panels[0].get_ylabel() == "observed"
    bare = past.drop_vars("time").isel(time=slice(2))
    assert [ax.get_title() for ax in maps(plot.strip(bare))] == ["frame\n1", "frame\n2"]


def test_strip_refuses_what_has_no_lead(storm):
    with pytest.raises(ValueError, match="needs lead times"):
        plot.strip(storm[0])
    with pytest.raises(ValueError, match="at least one"):
        plot.strip({})
    for odd in ("30 min", 3):
        with pytest.raises(
            TypeError, match=r"leads are .*, wanted a list of lead times"
        ):
            plot.strip(storm, leads=odd)
    with pytest.raises(ValueError, match=r"lead is 'x', wanted a time with its unit"):
        plot.strip(storm, leads=["x"])
    with pytest.raises(ValueError, match="leads is empty"):
        plot.strip(storm, leads=[])
    with pytest.raises(ValueError, match="no frames"):
        plot.strip(storm.isel(lead=slice(0)))
    with pytest.raises(ValueError, match=r"isel\(member=-1\)"):
        plot.strip(xr.concat([storm, storm], "member"))


def test_leads_may_be_numbers_with_units(storm):
    numbers = storm.assign_coords(lead=("lead", [600, 1200, 1800], {"units": "s"}))
    assert maps(plot.strip(numbers))[0].get_title() == "+10 min"
    with pytest.raises(ValueError, match="timedelta64"):
        coords.minutes(numbers.lead.drop_attrs())


# --- risks


def risk_of(shape=(20, 20)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return map_of(
        np.exp(-((y - 10) ** 2 + (x - 10) ** 2) / 40.0), name="probability", units="1"
    )


def test_probability_is_bare_below_one_percent_and_has_labelled_contours():
    risk = risk_of().assign_attrs(hazard="rain_rate >= 10 mm h-1")
    figure = plot.probability(risk)
    ax = figure.axes[0]
    assert ax.get_title(loc="left") == "rain rate ≥ 10 mm h⁻¹"
    image = ax.images[0]
    assert image.cmap(image.norm(0.009))[3] == 0.0
    assert image.cmap(image.norm(0.011))[3] == 1.0
    np.testing.assert_allclose(ax.collections[0].levels, [0.1, 0.3, 0.5, 0.7, 0.9])
    assert {"10%", "30%"} <= {text.get_text() for text in ax.texts}
    assert not plot.probability(risk, contours=()).axes[0].collections


def test_contours_of_a_crowded_map_are_not_labelled():
    y, x = np.mgrid[:120, :120]
    crowd = map_of(
        np.sin(y / 5) ** 2 * np.sin(x / 5) ** 2, name="probability", units="1"
    )
    ax = plot.probability(crowd).axes[0]
    assert not ax.texts
    assert ax.collections


def test_contours_are_numbers():
    assert len(plot.probability(risk_of(), contours=0.5).axes[0].collections) == 1
    for odd in ("x", ["x"], [None, 0.5, "y"]):
        with pytest.raises(TypeError, match=r"contours are .*, wanted probabilities"):
            plot.probability(risk_of(), contours=odd)


@pytest.mark.parametrize("value", [np.nan, 0.0, 0.5, 1.0])
def test_even_probabilities_have_no_contours(value):
    figure = plot.probability(risk_of() * 0 + value)
    assert not figure.axes[0].collections
    plot.probability(map_of([[0.2]], name="probability", units="1"))


def test_probability_with_missing_pixels_and_in_other_colours():
    risk = risk_of()
    figure = plot.probability(risk.where(risk.x > 5000.0), cmap="magma_r")
    assert figure.axes[0].child_axes[0].get_legend() is not None


def test_percentages_are_no_probabilities():
    with pytest.raises(ValueError, match=r"reach from .* to 100; divide percentages"):
        plot.probability(risk_of() * 100)


def footprint_of(hazards=("vil >= 3.5 kg m-2", "vil >= 12 kg m-2")):
    risk = risk_of()
    leads = xr.concat([risk * 0.5, risk], "lead").assign_coords(lead=LEADS[:2])
    values = (risk * 40).assign_attrs(units="kg m-2", long_name="liquid")
    dataset = xr.Dataset(
        {
            "probability": xr.concat([leads] * len(hazards), "hazard"),
            "window_probability": xr.concat([risk] * len(hazards), "hazard"),
            "window_percentile": xr.concat([values * 0.5, values], "quantile"),
        },
        attrs={"variable": "vil"},
    )
    return dataset.assign_coords(
        hazard=list(hazards), quantile=[0.5, 0.9], reference_time=START
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_footprint_has_a_panel_for_each_hazard_and_one_percentile(count):
    names = tuple(f"vil >= {i} kg m-2" for i in range(1, count + 1))
    figure = plot.footprint(footprint_of(names))
    heads = [ax.get_title(loc="left") for ax in maps(figure)]
    assert heads == [
        *(f"vil ≥ {i} kg m⁻²" for i in range(1, count + 1)),
        "90th percentile",
    ]
    words = "Footprint of the next 20 min from 2019-06-02 18:00 UTC"
    assert figure.get_suptitle().replace("\n", " ") == words
    assert maps(figure)[-1].child_axes[0].get_ylabel() == "liquid [kg m⁻²]"


def test_footprint_tolerates_what_is_missing():
    dataset = footprint_of()
    only = plot.footprint(dataset[["window_percentile"]], quantile=0.4)
    assert [ax.get_title(loc="left") for ax in maps(only)] == ["50th percentile"]
    for odd in (90, -0.1, "x", None):
        with pytest.raises(ValueError, match=r"quantile is .*, wanted from 0 to 1"):
            plot.footprint(dataset, quantile=odd)
    leads = plot.footprint(dataset[["probability"]])
    assert maps(leads)[0].get_title(loc="left") == "vil ≥ 3.5 kg m⁻², +20 min"
    plot.footprint(dataset[["window_probability"]].isel(hazard=0, drop=True))
    plot.footprint(dataset * np.nan)
    with pytest.raises(ValueError, match=r"\['mean'\].*Ensemble.footprint"):
        plot.footprint(xr.Dataset({"mean": risk_of()}))


@pytest.mark.parametrize(
    ("count", "shape", "used"),
    [(1, (1, 3), [0, 1, 2]), (2, (2, 3), [0, 1, 2, 3, 4]), (3, (2, 4), [*range(7)])],
)
def test_arrivals_stand_below_the_probabilities(count, shape, used):
    dataset = footprint_of(tuple(f"vil >= {i} kg m-2" for i in range(1, count + 1)))
    times = (dataset.window_probability * 10 + 5).rename("arrival")
    figure = plot.footprint(dataset.assign(arrival=times), arrival=True)
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == shape
    seen = [ax.get_visible() for ax in figure.axes]
    assert [at for at, shown in enumerate(seen) if shown] == used
    # each below its own probability, and the bar beside the last of its row
    if count == 3:
        for above, below in zip(figure.axes[:3], figure.axes[4:7], strict=True):
            assert below.get_title(loc="left").endswith(above.get_title(loc="left"))
        assert [bool(ax.child_axes) for ax in figure.axes[:7]] == [
            *(False, False, True, True),
            *(False, False, True),
        ]


def test_a_window_known_in_part_is_hatched():
    dataset = footprint_of()
    assert not any(
        ax.collections[0].hatches[0] for ax in maps(plot.footprint(dataset))[:2]
    )
    dataset["window_probability"] = dataset.window_probability.where(dataset.x > 3e3)
    dataset["probability"] = dataset.probability.where(dataset.x > 1e3)
    figure = plot.footprint(dataset)
    ax = maps(figure)[0]
    (found,) = [each for each in ax.collections if any(each.hatches)]
    (path,) = [path for path in found.get_paths() if len(path.vertices)]
    x = path.vertices[:, 0]
    assert (x.min(), x.max()) == (1000.0, 3000.0)  # the edges of two pixels
    bar = maps(figure)[1].child_axes[0]
    words = [text.get_text() for text in bar.get_legend().get_texts()]
    assert words == ["no data", "some leads only"]


def test_contours_are_labelled_on_all_maps_or_on_none():
    y, x = np.mgrid[:120, :120]
    crowd = np.sin(y / 5) ** 2 * np.sin(x / 5) ** 2
    calm = np.exp(-((y - 60) ** 2 + (x - 60) ** 2) / 900)
    risk = xr.concat([map_of(calm), map_of(crowd)], "hazard").rename("risk")
    dataset = xr.Dataset({"window_probability": risk.assign_attrs(units="1")})
    both = plot.footprint(dataset)
    assert not any(len(ax.texts) for ax in maps(both))
    assert maps(plot.footprint(dataset.isel(hazard=[0])))[0].texts


def test_a_map_without_a_risk_says_so_in_percent():
    figure = plot.probability(risk_of() * 0)
    assert [t.get_text() for t in figure.axes[0].texts] == ["nothing from 1% up"]


@pytest.mark.parametrize("shape", [(1, 30), (30, 1), (2, 100)])
def test_maps_of_few_rows_can_be_seen(shape):
    figure = plot.footprint(
        xr.Dataset({"window_probability": map_of(np.full(shape, 0.5), units="1")})
    )
    figure.draw_without_rendering()
    ax = maps(figure)[0]
    wide, high = ax.get_window_extent().width, ax.get_window_extent().height
    assert min(wide, high) / max(wide, high) > 0.14
    low, top = sorted(ax.get_ylim())
    assert (top - low) / shape[0] == pytest.approx(1000)  # a lone row as high as wide
    box = ax.child_axes[0]
    ticks = [t.get_window_extent() for t in box.get_yticklabels()]
    for one, other in pairwise(ticks):
        assert one.y1 <= other.y0 + 1


def test_footprint_draws_hail_as_hail():
    dataset = footprint_of().assign_attrs(variable="mesh")
    dataset["window_percentile"].attrs["units"] = "mm"
    image = maps(plot.footprint(dataset))[-1].images[0]
    assert image.norm.boundaries[0] == pytest.approx(1.0, rel=1e-5)


# --- charts


def log_of(**columns):
    log = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "loss": [0.9, 0.5, 0.3, 0.2],
            "validation_loss": [1.0, np.nan, 0.4, 0.45],
            "csi": [np.nan, 0.2, 0.3, 0.31],
            "learning_rate": [1e-3] * 4,
            "seconds": [60.0] * 4,
        }
    )
    return log.assign(**columns)


def test_training_draws_loss_and_csi_and_the_best_epoch():
    figure = plot.training(log_of())
    above, below = figure.axes
    assert [line.get_label() for line in above.lines] == [
        "training",
        "validation",
        "best, epoch 3",
    ]
    np.testing.assert_array_equal(above.lines[1].get_xdata(), [1, 3, 4])
    np.testing.assert_array_equal(below.lines[0].get_ydata(), [0.2, 0.3, 0.31])
    assert (below.get_xlabel(), below.get_ylabel()) == ("epoch", "CSI")
    assert figure.get_suptitle() == "4 epochs in 4 min"


def test_training_scales_and_gaps():
    steep = plot.training(log_of(loss=[100.0, 10.0, 1.0, 0.1]))
    assert steep.axes[0].get_yscale() == "log"
    empty = plot.training(log_of(loss=np.nan, validation_loss=np.nan, csi=None))
    assert [ax.texts[0].get_text() for ax in empty.axes] == [
        "no loss recorded",
        "no CSI recorded",
    ]
    plot.training(log_of()[["epoch", "loss"]].iloc[:1])
    for log, words in (
        (log_of()[["epoch"]], "lacks loss"),
        (log_of()[:0], "lacks rows"),
    ):
        with pytest.raises(ValueError, match=words):
            plot.training(log)


def test_training_draws_balanced_weights_where_they_are_known():
    steady = {"weight_perceptual": [np.nan, 0.2, 0.3, 0.25]}
    figure = plot.training(log_of(**steady))
    _, below, low = figure.axes
    (curve, best) = low.lines
    np.testing.assert_array_equal(curve.get_xdata(), [2, 3, 4])
    np.testing.assert_array_equal(curve.get_ydata(), [0.2, 0.3, 0.25])
    assert best.get_xdata()[0] == 3
    assert (low.get_ylabel(), low.get_yscale()) == ("balanced weight", "linear")
    assert (low.get_xlabel(), below.get_xlabel()) == ("epoch", "")
    assert low.get_position().height < below.get_position().height
    wide = plot.training(log_of(**steady, weight_spectrum=0.002))
    low = wide.axes[2]
    assert low.get_yscale() == "log"
    assert [text.get_text() for text in low.get_legend().get_texts()] == [
        "perceptual",
        "spectrum",
    ]


def test_training_has_no_panel_for_weights_that_are_not_known():
    for log in (log_of(), log_of(weight_perceptual=np.nan)):
        figure = plot.training(log)
        assert len(figure.axes) == 2
        assert figure.axes[1].get_xlabel() == "epoch"
        assert figure.get_figheight() == pytest.approx(5.4)


@pytest.fixture
def bins():
    p = np.linspace(0.05, 0.95, 10)
    observed = np.stack([p, p * 0.5])
    observed[1, 9] = np.nan
    dims = ("forecast", "threshold", "bin")
    return xr.Dataset(
        {
            "forecast_probability": (dims, np.stack([[p, p]] * 2)),
            "observed_frequency": (dims, np.stack([observed] * 2)),
            "count": (dims, np.full((2, 2, 10), 70)),
            "base_rate": ("threshold", [0.2, 0.1]),
        },
        coords={
            "forecast": ["unet", "steps"],
            "threshold": ("threshold", [3.5, 12.0], {"units": "kg m-2"}),
        },
    )


def test_reliability_has_the_diagonal_climatology_and_counts(bins):
    figure = plot.reliability(bins)
    above = figure.axes[:2]
    assert [ax.get_title(loc="left") for ax in above] == ["≥ 3.5 kg m⁻²", "≥ 12 kg m⁻²"]
    names = [line.get_label() for line in above[1].lines]
    assert names == ["reliable", "climatology", "unet", "steps"]
    assert above[1].lines[1].get_ydata()[0] == 0.1
    assert len(above[1].lines[2].get_xdata()) == 9
    assert above[0].get_ylabel() == "observed frequency"
    assert [ax.get_xlabel() for ax in figure.axes[2:]] == ["forecast probability"] * 2


@pytest.mark.parametrize(("count", "shape"), [(1, (1, 1)), (4, (2, 2)), (5, (2, 3))])
def test_reliability_of_many_thresholds_is_wrapped(bins, count, shape):
    figure = plot.reliability(bins.isel(threshold=[0] * count))
    seen = [ax for ax in figure.axes if ax.get_visible()]
    assert len(seen) == 2 * count
    assert len(figure.axes) == 2 * shape[0] * shape[1]
    assert figure.get_figwidth() <= 10.5
    shown = [ax for ax in seen if ax.xaxis.label.get_visible()]
    assert len(shown) == shape[1]


def test_titles_keep_off_the_edge(skill):
    figure = plot.scores(skill)
    figure.draw_without_rendering()
    top = max(ax.get_tightbbox().y1 for ax in figure.axes)
    assert figure.bbox.height - top >= 0.09 * figure.dpi


def test_reliability_of_one_forecast_has_bars_and_tolerates_empty_bins(bins):
    one = bins.isel(forecast=0, threshold=1).drop_vars("base_rate")
    figure = plot.reliability(one)
    assert len(figure.axes[1].patches) == 10
    assert [line.get_label() for line in figure.axes[0].lines] == [
        "reliable",
        "forecast",
    ]
    empty = plot.reliability(one * np.nan)
    assert empty.axes[0].texts[0].get_text() == "no data"


def test_reliability_has_consistency_bars_in_each_panel(bins):
    p = bins.forecast_probability
    ends = {"consistency_lower": p - 0.04, "consistency_upper": p + 0.04}
    figure = plot.reliability(bins.assign(ends).isel(forecast=0))
    for ax in figure.axes[:2]:
        (bars,) = [each for each in ax.collections if each.get_label() == "by chance"]
        found = np.array(bars.get_segments())
        np.testing.assert_allclose(found[:, 0], np.stack([p[0, 0], p[0, 0] - 0.04], 1))
        np.testing.assert_allclose(found[:, 1, 1] - found[:, 0, 1], 0.08)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["reliable", "climatology", "forecast", "by chance"]


def test_a_curve_of_one_panel_only_is_named_for_all(bins):
    some = bins.copy(deep=True)
    some["observed_frequency"][0, 0] = np.nan
    some["observed_frequency"][1] = np.nan
    names = [t.get_text() for t in plot.reliability(some).legends[0].get_texts()]
    assert names == ["reliable", "climatology", "unet"]


def test_reliability_refuses_other_datasets(bins):
    with pytest.raises(ValueError, match="lacks count"):
        plot.reliability(bins.drop_vars("count"))
    with pytest.raises(ValueError, match=r"isel\(lead=0\)"):
        plot.reliability(bins.expand_dims("lead"))


@pytest.fixture
def skill():
    values = np.linspace(0.9, 0.1, 12).reshape(2, 2, 3)
    return xr.Dataset(
        {"csi": (("forecast", "threshold", "lead"), values)},
        coords={
            "forecast": ["unet", "persistence"],
            "threshold": ("threshold", [3.5, 12.0], {"units": "kg m-2"}),
            "lead": LEADS,
        },
    )


def test_scores_have_a_panel_for_each_threshold_and_a_curve_for_each_forecast(skill):
    figure = plot.scores(skill)
    assert [len(ax.lines) for ax in figure.axes] == [2, 2]
    left, right = figure.axes
    assert (left.get_ylabel(), left.get_xlabel()) == ("CSI", "lead time [min]")
    np.testing.assert_array_equal(right.lines[1].get_xdata(), [10, 20, 30])
    np.testing.assert_array_equal(right.lines[1].get_ydata(), skill.csi[1, 1])
    assert left.get_ylim() == right.get_ylim()
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["unet", "persistence"]


def test_scores_pass_over_gaps_and_take_other_scores(skill):
    plot.scores(skill.where(skill.lead > LEADS[0]))
    empty = plot.scores(skill.csi[0, 0].to_dataset() * np.nan)
    assert empty.axes[0].texts[0].get_text() == "no csi defined"
    error = skill.csi.isel(threshold=0, drop=True) - 1
    error.attrs = {"units": "kg m-2", "long_name": "bias"}
    figure = plot.scores(error.to_dataset(name="bias"), score="bias")
    assert figure.axes[0].get_ylabel() == "bias [kg m⁻²]"
    five = skill.isel(threshold=[0, 1, 0, 1, 0])
    assert sum(ax.get_visible() for ax in plot.scores(five).axes) == 5
    with pytest.raises(ValueError, match=r"no 'fss'; choose one of \['csi'\]"):
        plot.scores(skill, score="fss")
    with pytest.raises(ValueError, match=r"isel\(scale=0\)"):
        plot.scores(skill.expand_dims(scale=2))
    with pytest.raises(ValueError, match="lead is needed"):
        plot.scores(skill.isel(lead=0))


# --- films


def test_animate_writes_a_gif_of_every_frame(storm, tmp_path):
    path = plot.animate(storm, tmp_path / "storm.gif", fps=4, title="a storm")
    assert path == tmp_path / "storm.gif"
    assert [found.name for found in tmp_path.iterdir()] == ["storm.gif"]
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 250
        first = np.asarray(film.convert("RGB"))
        film.seek(2)
        assert (np.asarray(film.convert("RGB")) != first).any()


def test_animate_of_missing_and_single_frames(storm, tmp_path):
    holes = storm.where(storm.lead != LEADS[1]).isel(y=slice(None, None, -1))
    with Image.open(plot.animate(holes, tmp_path / "holes.gif")) as film:
        assert film.n_frames == 3
    with Image.open(plot.animate(storm[:1], str(tmp_path / "one.gif"))) as film:
        assert film.size[0] > 100


def test_a_film_that_fails_leaves_what_was_there(storm, tmp_path, monkeypatch):
    path = tmp_path / "storm.gif"
    path.write_bytes(b"yesterday's")
    drawn = iter([films._image])

    def fails_at_the_second(figure):
        return next(drawn)(figure)

    monkeypatch.setattr(films, "_image", fails_at_the_second)
    with pytest.raises((StopIteration, RuntimeError)):
        plot.animate(storm, path)
    assert path.read_bytes() == b"yesterday's"
    assert [found.name for found in tmp_path.iterdir()] == ["storm.gif"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"path": "storm.avi"}, r"is \.gif or \.mp4"),
        ({"fps": 0}, "fps must be a positive number"),
        ({"fps": "5"}, "fps must be a positive number, but got '5'"),
        ({"array": map_of(np.ones((2, 2)))}, "frames along time or lead"),
    ],
)
def test_animate_refuses(storm, tmp_path, change, words):
    given = {"array": storm, "path": "storm.gif", **change}
    path = tmp_path / given.pop("path")
    with pytest.raises(ValueError, match=words):
        plot.animate(given.pop("array"), path, **given)
    assert not list(tmp_path.iterdir())


def test_mp4_without_ffmpeg_says_what_to_install(storm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(MissingExtraError, match="apt install ffmpeg"):
        plot.animate(storm, tmp_path / "storm.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_mp4_is_written_by_ffmpeg(storm, tmp_path):
    path = plot.animate(storm, tmp_path / "storm.mp4")
    assert b"ftyp" in path.read_bytes()[:16]
    assert [found.name for found in tmp_path.iterdir()] == ["storm.mp4"]


# --- the house


def test_importing_plot_takes_no_matplotlib():
    code = "import sys, stormfusion.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_drawing_takes_no_pyplot_and_changes_no_settings():
    code = (
        "import sys, numpy, xarray, matplotlib, stormfusion.plot as plot\n"
        "names = [name for name in matplotlib.rcParams if name != 'backend']\n"
        "before = [matplotlib.rcParams[name] for name in names]\n"
        "a = xarray.DataArray(numpy.ones((2, 3, 3)), dims=('time', 'y', 'x'))\n"
        "plot.field(a[0])._repr_png_(); plot.strip(a)._repr_png_()\n"
        "plot.motion(xarray.Dataset({'u': a[0], 'v': a[0]}))._repr_png_()\n"
        "assert [matplotlib.rcParams[name] for name in names] == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
