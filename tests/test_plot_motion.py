import pickle

import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver, QuiverKey

from stormfusion import plot
from stormfusion.errors import GridMismatchError
from stormfusion.plot import colors

NOON = np.datetime64("2019-06-02T12:00", "ns")


def moving(u, v, *, shape=(40, 40), spacing=1000.0, units="m", speed="m s-1"):
    """A motion on a grid whose first row is in the south."""
    y, x = ((np.arange(n) + 0.5) * spacing for n in shape)
    return xr.Dataset(
        {
            name: (("y", "x"), np.broadcast_to(value, shape).copy(), {"units": speed})
            for name, value in (("u", u), ("v", v))
        },
        coords={"y": ("y", y, {"units": units}), "x": ("x", x, {"units": units})},
    )


def raining(motion, value=5.0):
    rain = xr.full_like(motion.u, value).rename("rain_rate")
    return rain.assign_attrs(units="mm h-1", long_name="rain rate")


def turning(**options):
    """Everything turns about the middle, 1 m s-1 for each km from there."""
    motion = moving(0.0, 0.0, **options)
    y, x = ((motion[dim] - motion[dim].mean()) / 1000.0 for dim in ("y", "x"))
    motion["u"].values[:], motion["v"].values[:] = -y.values[:, None], x.values
    return motion


def quiver_of(figure):
    found = [c for c in figure.axes[0].collections if isinstance(c, Quiver)]
    assert len(found) <= 1
    return found[0] if found else None


def key_of(figure):
    (key,) = (c for c in figure.axes[0].get_children() if isinstance(c, QuiverKey))
    return key


def arrows(figure):
    """Rows of x, y, u and v, by y and then by x."""
    quiver = quiver_of(figure)
    at = np.asarray(quiver.get_offsets())
    found = np.column_stack([at, quiver.U, quiver.V])
    return found[np.lexsort((found[:, 0], found[:, 1]))]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def shapes(figure):
    """Corners of each arrow [pixels], seen from the place where it stands."""
    figure.draw_without_rendering()
    quiver = quiver_of(figure)
    scale = quiver.get_transform()
    return [scale.transform(path.vertices[:-1]) for path in quiver.get_paths()]


def drawn(figure):
    """Length [pixels] and direction [degrees from east] of each arrow on the screen."""
    corners = shapes(figure)
    # most corners are at the head
    heads = np.array([each.mean(axis=0) for each in corners])
    along = heads / np.hypot(*heads.T)[:, None]
    lengths = [np.ptp(c @ a) for c, a in zip(corners, along, strict=True)]
    return np.array(lengths), np.degrees(np.arctan2(along[:, 1], along[:, 0]))


# --- the arrows


def test_an_arrow_is_the_mean_of_the_pixels_about_it():
    motion = turning(shape=(120, 120))
    motion["u"].values[:] += 100.0
    figure = plot.motion(motion, over=raining(motion))
    x, y, u, v = arrows(figure).T
    across, up = np.unique(x), np.unique(y)
    assert 20 <= len(across) == len(up) <= 25
    assert len(x) == len(across) * len(up)
    for places in (across, up):
        steps = np.diff(places)
        np.testing.assert_allclose(steps, 120e3 / len(places))
        assert places[0] == pytest.approx(60e3 / len(places))
    # the pixels of a cell lie no more than half a pixel beside it
    np.testing.assert_allclose(u, 160.0 - y / 1e3, atol=0.5 + 1e-6)
    np.testing.assert_allclose(v, x / 1e3 - 60.0, atol=0.5 + 1e-6)
    noisy = motion.copy(deep=True)
    noisy["u"] = noisy.u + np.where(np.indices((120, 120)).sum(0) % 2, 50.0, -50.0)
    mean = arrows(plot.motion(noisy))[:, 2]
    np.testing.assert_allclose(mean, arrows(plot.motion(motion))[:, 2], atol=4.0)


def test_every_pixel_is_in_one_cell():
    motion = moving(np.arange(27 * 31.0).reshape(27, 31) + 1, 0.0, shape=(27, 31))
    figure = plot.motion(motion)
    x, y, u, _ = arrows(figure).T
    assert len(np.unique(x)) < 31
    # cells are of one or two pixels each way, by where the middles of the pixels lie
    edges = [
        np.linspace(0, size, len(np.unique(places)) + 1)
        for size, places in ((27, y), (31, x))
    ]
    cell = [
        np.searchsorted(edge, np.arange(size) + 0.5, side="right")
        for edge, size in zip(edges, (27, 31), strict=True)
    ]
    mean = motion.u.assign_coords(y=cell[0], x=cell[1])
    mean = mean.groupby("y").mean().groupby("x").mean().transpose("y", "x")
    np.testing.assert_allclose(u, mean.values.ravel())


@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("columns", [slice(None), slice(None, None, -1)])
def test_the_order_of_rows_and_columns_changes_nothing(rows, columns):
    motion = turning(shape=(30, 50))
    turned = motion.isel(y=rows, x=columns)
    np.testing.assert_allclose(
        arrows(plot.motion(turned)), arrows(plot.motion(motion)), atol=1e-9
    )
    # the field beneath need not have the same order
    figure = plot.motion(turned, over=raining(motion).where(motion.y < 15e3))
    image = figure.axes[0].images[0]
    assert image.get_extent() == [0.0, 50e3, 0.0, 30e3]
    assert image.origin == "lower"
    assert image.get_array().mask.all(axis=1).tolist() == [False] * 15 + [True] * 15


@pytest.mark.parametrize(
    ("u", "v", "angle", "point"),
    [
        (9.0, 0.0, 0.0, "E"),
        (9.0, 9.0, 45.0, "NE"),
        (0.0, 9.0, 90.0, "N"),
        (-9.0, 9.0, 135.0, "NW"),
        (-9.0, 0.1, 179.363, "W"),
        (-9.0, -9.0, -135.0, "SW"),
        (0.0, -9.0, -90.0, "S"),
        (9.0, -9.0, -45.0, "SE"),
        (9.0, 3.6, 21.801, "E"),
        (9.0, 3.9, 23.429, "NE"),
    ],
)
def test_arrows_point_where_the_rain_goes(u, v, angle, point):
    south_first = moving(u, v, shape=(9, 9))
    for motion in (south_first, south_first.isel(y=slice(None, None, -1))):
        figure = plot.motion(motion)
        assert drawn(figure)[1] == pytest.approx(angle, abs=0.01)
        assert texts(figure)[0].endswith(f" m/s towards {point}")


def test_grids_in_degrees_keep_directions_and_lengths():
    y = 60.0 + (np.arange(30) - 14.5) * 0.1
    motion = moving(0.0, 0.0, shape=(30, 60)).assign_coords(
        y=("y", y, {"units": "degrees_north"}),
        x=("x", 10 + np.arange(60) * 0.1, {"units": "degrees_east"}),
    )
    west = motion.x < 13.0
    motion["u"].values[:] = xr.where(west, 6.0, 10.0)
    motion["v"].values[:] = xr.where(west, 8.0, 0.0)
    figure = plot.motion(motion)
    ax = figure.axes[0]
    assert ax.get_aspect() == pytest.approx(2.0)
    assert ax.get_xlabel() == "longitude [degrees]"
    lengths, angles = drawn(figure)
    x, y = np.asarray(quiver_of(figure).get_offsets()).T
    assert angles[x < 12.9] == pytest.approx(53.130, abs=0.01)
    assert angles[x > 13.1] == pytest.approx(0.0, abs=0.01)
    apart = (x < 12.9) | (x > 13.1)
    np.testing.assert_allclose(lengths[apart], lengths[0])
    step = np.diff(np.unique(ax.transData.transform(arrows(figure)[:, :2])[:, 0]))[0]
    assert 0.8 * step <= lengths[0] <= 1.01 * step
    # a degree of latitude is twice as long as one of longitude
    x, y = (np.unique(column) for column in arrows(figure)[:, :2].T)
    assert np.diff(x)[0] / np.diff(y)[0] == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize(
    ("shape", "across"), [((90, 90), 1.0), ((40, 4), 10.0), ((4, 40), 0.1)]
)
def test_arrows_fill_their_cells_and_do_not_meet(shape, across):
    motion = moving(9.0, 0.0, shape=shape)
    motion = motion.assign_coords(x=motion.x.copy(data=motion.x * across))
    figure = plot.motion(motion)
    lengths, _ = drawn(figure)
    at = figure.axes[0].transData.transform(arrows(figure)[:, :2])
    steps = [np.diff(np.unique(places.round(3)))[0] for places in at.T]
    assert min(steps) * 0.8 <= lengths.min()
    assert lengths.max() <= min(steps) * 1.01
    # about the middle of the cell
    for corners in shapes(figure):
        assert corners[:, 0].min() == pytest.approx(-corners[:, 0].max())


def test_one_wild_cell_does_not_shrink_the_others():
    u = np.full((20, 20), 10.0)
    u[0, 0] = 1e4
    figure = plot.motion(moving(u, 0.0, shape=(20, 20)))
    assert key_of(figure).U == 10.0


@pytest.mark.parametrize("shape", [(2, 3), (1, 1), (1, 4), (5, 1)])
def test_tiny_grids_have_an_arrow_on_each_pixel(shape):
    motion = moving(3.0, 4.0, shape=shape)
    figure = plot.motion(motion, over=raining(motion))
    x, y, u, v = arrows(figure).T
    np.testing.assert_allclose(np.unique(x), motion.x)
    np.testing.assert_allclose(np.unique(y), motion.y)
    assert len(x) == shape[0] * shape[1]
    assert (set(u), set(v)) == ({3.0}, {4.0})
    lengths, _ = drawn(figure)
    box = figure.axes[0].get_window_extent()
    assert lengths.max() <= max(box.width, box.height) / 5


def test_huge_grids_are_thinned_before_they_are_drawn():
    motion = moving(np.float32(3.0), np.float32(4.0), shape=(2500, 1000))
    found = arrows(plot.motion(motion))
    assert 20 <= len(np.unique(found[:, 1])) <= 25
    assert len(np.unique(found[:, 0])) == pytest.approx(9, abs=1)
    np.testing.assert_allclose(found[:, 2:], [[3.0, 4.0]] * len(found))


def test_small_axes_have_fewer_arrows():
    figure = Figure(figsize=(6, 3))
    left, right = figure.subplots(1, 2)
    motion = turning(shape=(60, 60))
    assert plot.motion(motion, ax=left, colorbar=False) is figure
    assert not right.collections
    assert 6 <= len(np.unique(arrows(figure)[:, 0])) <= 12
    assert left.get_xlim() == (0.0, 60e3)


def test_uneven_coordinates_carry_the_arrows_with_them():
    uneven = moving(3.0, 4.0, shape=(3, 3)).assign_coords(x=("x", [0.0, 1e3, 5e3]))
    figure = plot.motion(uneven, over=raining(uneven))
    assert np.unique(arrows(figure)[:, 0]).tolist() == [0.0, 1e3, 5e3]


def test_without_coordinates_places_are_pixels():
    motion = moving(3.0, 4.0, shape=(3, 4)).drop_vars(["y", "x"])
    figure = plot.motion(motion, over=raining(motion))
    assert np.unique(arrows(figure)[:, 0]).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert figure.axes[0].get_xlabel() == "x [pixel]"


# --- what is missing, and what stands still


@pytest.mark.parametrize("name", ["u", "v"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_lack_a_speed_have_no_arrow(name, value):
    motion = moving(6.0, 8.0, shape=(8, 8))
    motion[name][:, :4] = value
    motion["u"][0, 7] = np.nan
    figure = plot.motion(motion)
    x, y, u, v = arrows(figure).T
    assert np.unique(x).tolist() == [4500.0, 5500.0, 6500.0, 7500.0]
    assert ((x == 7500.0) & (y == 500.0)).sum() == 0
    assert len(x) == 31
    assert (set(u), set(v)) == ({6.0}, {8.0})
    assert texts(figure) == ["median 10 m/s towards NE"]


def test_what_stands_still_neither_has_an_arrow_nor_slows_its_neighbours():
    motion = moving(0.0, 0.0, shape=(110, 110))
    motion["u"][:, 61:] = 7.0
    motion["u"][0, 0] = np.nan
    figure = plot.motion(motion)
    x, _, u, _ = arrows(figure).T
    assert x.min() > 55e3
    np.testing.assert_allclose(u, 7.0)
    assert texts(figure) == ["median 7 m/s towards E"]


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-7])
@pytest.mark.parametrize("rain", [None, 0.0, 5.0])
def test_where_nothing_moves_are_no_arrows_and_it_is_said(value, rain):
    motion = moving(value, value)
    motion["v"][0, 0] = np.nan
    over = None if rain is None else raining(motion, rain)
    figure = plot.motion(motion, over=over)
    assert quiver_of(figure) is None
    dry = ["nothing from 0.1 mm h⁻¹ up"] if rain == 0.0 else []
    assert texts(figure) == ["\n".join([*dry, "no motion found"])]
    assert figure.axes[0].get_xlim() == (0.0, 40e3)
    assert not [c for c in figure.axes[0].get_children() if isinstance(c, QuiverKey)]


def test_dry_fields_keep_their_arrows():
    motion = moving(3.0, 0.0)
    figure = plot.motion(motion, over=raining(motion, 0.0))
    assert quiver_of(figure) is not None
    assert texts(figure) == ["median 3 m/s towards E", "nothing from 0.1 mm h⁻¹ up"]
    cover = figure.axes[0].texts[1].get_bbox_patch()
    assert to_hex(cover.get_facecolor()) == "#ffffff"
    narrow = moving(3.0, 0.0, shape=(90, 27))
    figure = plot.motion(narrow, over=raining(narrow, 0.0))
    figure.draw_without_rendering()
    remark = figure.axes[0].texts[1].get_window_extent()
    frame = figure.axes[0].get_window_extent()
    assert frame.x0 < remark.x0 < remark.x1 < frame.x1


# --- the key and the words


@pytest.mark.parametrize(
    ("speed", "key"),
    [(9.0, 10.0), (16.0, 20.0), (13.0, 10.0), (33.0, 50.0), (3.0, 2.0), (0.08, 0.1)],
)
def test_the_key_is_a_round_speed_above_the_map(speed, key):
    motion = moving(speed, 0.0)
    figure = plot.motion(motion, over=raining(motion))
    found = key_of(figure)
    assert key == found.U
    assert found.label == f"{key:g} m/s"
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    label = found.text.get_window_extent()
    tail, middle = found.get_transform().transform((found.X, found.Y))
    shape = found.Q.get_transform().transform(found.vector.get_paths()[0].vertices)
    assert label.y0 > box.y1
    assert middle > box.y1
    assert label.x1 < tail
    assert tail + shape[:, 0].max() == pytest.approx(box.x1, abs=1.0)
    # as long as an arrow of its speed
    assert np.ptp(shape[:, 0]) == pytest.approx(drawn(figure)[0][0] * key / speed)


@pytest.mark.parametrize("shape", [(40, 40), (90, 30), (30, 90)])
@pytest.mark.parametrize("title", [None, "", "a title of some length that may wrap"])
def test_the_words_above_the_map_do_not_meet(shape, title):
    motion = turning(shape=shape).assign_coords(reference_time=NOON)
    figure = plot.motion(motion, over=raining(motion), title=title)
    figure.draw_without_rendering()
    ax, key = figure.axes[0], key_of(figure)
    words = ax.texts[0].get_window_extent()
    label = key.text.get_window_extent()
    right = ax.get_window_extent().x1
    assert words.y0 > ax.get_window_extent().y1
    beside = words.x1 < label.x0
    assert beside or words.y0 > label.y1 - 2.0
    assert label.x1 < right
    if title != "":
        assert ax._left_title.get_window_extent().y0 > words.y1 - 2.0
    assert max(text.get_window_extent().y1 for text in ax.texts) < figure.bbox.height


def test_the_median_is_of_the_pixels_and_has_two_digits():
    u = np.full((60, 60), 12.34)
    u[:20] = 99.0
    assert texts(plot.motion(moving(u, 0.0, shape=(60, 60)))) == [
        "median 12 m/s towards E"
    ]
    assert texts(plot.motion(moving(1.234, 0.0)))[0].startswith("median 1.2 m/s")
    assert texts(plot.motion(moving(123.4, 0.0)))[0].startswith("median 120 m/s")


def test_a_motion_without_a_direction_has_none():
    figure = plot.motion(turning(shape=(41, 41)))
    assert texts(figure) == ["median 16 m/s in various directions"]
    most = turning(shape=(41, 41))
    most["u"] = most.u + 20.0
    assert texts(plot.motion(most))[0].endswith("towards E")


def test_titles_tell_the_times():
    motion = moving(3.0, 4.0)
    rain = raining(motion)
    now = motion.assign_coords(reference_time=NOON)

    def title(*args, **kwargs):
        return plot.motion(*args, **kwargs).axes[0].get_title(loc="left")

    assert title(motion) == ""
    assert title(now) == "motion of 2019-06-02 12:00 UTC"
    assert title(motion.assign_coords(time=NOON)) == "motion of 2019-06-02 12:00 UTC"
    rows = motion.assign_coords(time=("y", np.full(40, NOON)))
    assert title(rows) == ""
    old = NOON - np.timedelta64(1, "h")
    assert title(now.assign_coords(time=old)) == "motion of 2019-06-02 12:00 UTC"
    assert title(motion.assign_coords(reference_time=np.datetime64("NaT", "ns"))) == ""
    shown = rain.assign_coords(time=NOON)
    assert title(motion, over=shown) == "2019-06-02 12:00 UTC"
    assert title(now, over=shown) == "2019-06-02 12:00 UTC"
    assert title(now, over=shown.expand_dims("time")) == "2019-06-02 12:00 UTC"
    later = rain.assign_coords(time=NOON + np.timedelta64(5, "m"))
    assert title(now, over=later).replace("\n", " ") == (
        "2019-06-02 12:05 UTC, motion of 2019-06-02 12:00 UTC"
    )
    assert title(now, over=later, title="a storm") == "a storm"


def test_other_units_are_converted_and_none_are_ours():
    figure = plot.motion(moving(36.0, 0.0, speed="km h-1"))
    np.testing.assert_allclose(arrows(figure)[:, 2], 10.0)
    figure = plot.motion(moving(36.0, 0.0, speed=""))
    assert set(arrows(figure)[:, 2]) == {36.0}
    mixed = moving(36.0, 10.0, speed="km h-1")
    mixed["v"].attrs["units"] = "m/s"
    np.testing.assert_allclose(arrows(plot.motion(mixed))[:, 2:], 10.0)


# --- the field beneath


def test_the_field_beneath_is_drawn_as_field_draws_it():
    motion = moving(3.0, 4.0, shape=(6, 8))
    rain = raining(motion)
    rain.values[:] = np.linspace(0.0, 60.0, 48).reshape(6, 8)
    rain.values[0, 0] = np.nan
    for cmap in ("standard", "safe", "magma"):
        ours = plot.motion(motion, over=rain, cmap=cmap).axes[0]
        field = plot.field(rain, cmap=cmap).axes[0]
        one, other = ours.images[0], field.images[0]
        np.testing.assert_array_equal(one.get_array(), other.get_array())
        assert one.get_extent() == other.get_extent()
        np.testing.assert_array_equal(
            one.cmap(one.norm(rain.values)), other.cmap(other.norm(rain.values))
        )
        for name in ("get_xlim", "get_ylim", "get_xlabel", "get_ylabel", "get_aspect"):
            assert getattr(ours, name)() == getattr(field, name)()
        bar, theirs = ours.child_axes[0], field.child_axes[0]
        assert bar.get_ylabel() == theirs.get_ylabel() == "rain rate [mm h⁻¹]"
        assert bar.get_legend() is not None
    bare = plot.motion(motion, over=rain, colorbar=False).axes[0]
    assert not bare.child_axes
    figure = plot.motion(motion)
    assert figure.get_figwidth() == pytest.approx(6.9)  # no room for a colour bar
    alone = figure.axes[0]
    assert not alone.child_axes
    assert not alone.images
    assert (alone.get_xlim(), alone.get_xlabel()) == ((0.0, 8e3), "x [km]")
    assert alone.xaxis.get_major_formatter()(2000.0, 0) == "2"


def contrast(one, other):
    """Contrast of two colours, as the guidelines for web content define it."""

    def luminance(color):
        parts = np.array(to_rgb(color))
        linear = np.where(
            parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("cmap", ["standard", "safe"])
def test_arrows_are_legible_on_every_colour(cmap):
    motion = moving(3.0, 4.0)
    quiver = quiver_of(plot.motion(motion, over=raining(motion), cmap=cmap))
    ink = to_hex(quiver.get_facecolor()[0])
    (halo,) = quiver.get_path_effects()
    edge = halo._gc["foreground"]
    assert halo._gc["linewidth"] >= 1.5
    assert contrast(ink, edge) > 10.0
    for name in ("rain_rate", "reflectivity", "vil"):
        shown = raining(motion).rename(name).drop_attrs()
        brush = colors.paint([shown], cmap=cmap)
        for color in [*brush.cmap.colors, colors.MISSING, "white"]:
            assert max(contrast(ink, color), contrast(edge, color)) > 3.0
    assert quiver.get_zorder() > 2.0


# --- what is refused, and the house


@pytest.mark.parametrize(
    ("motion", "error", "words"),
    [
        (None, TypeError, "motion is None, wanted an xarray.Dataset of u and v; give"),
        (moving(1.0, 1.0).u, TypeError, "motion is a DataArray, wanted .*Nowcaster"),
        (
            moving(1.0, 1.0).drop_vars("v"),
            ValueError,
            r"holds \['u'\] and lacks v; give the speeds along x and y as u and v",
        ),
        (xr.Dataset(), ValueError, r"holds \[\] and lacks u and v; give"),
        (
            moving(1.0, 1.0).expand_dims(lead=3),
            ValueError,
            r"u has dims \(lead, y, x\), but a map has \(y, x\); .*isel\(lead=-1\)",
        ),
        (
            moving(1.0, 1.0).rename(y="lat"),
            ValueError,
            r"u has dims \(lat, x\), but a map has \(y, x\)",
        ),
        (
            moving(1.0, 1.0).assign(v=0.0),
            ValueError,
            r"v has dims \(\), but a map has \(y, x\); rename",
        ),
        (moving(1.0, 1.0, shape=(0, 3)), ValueError, "u has no pixels"),
        (
            moving(np.nan, 1.0),
            ValueError,
            "no pixel with both u and v: all 1600 are missing; give finite speeds",
        ),
        (
            moving(1.0, 1.0, speed="pixel"),
            ValueError,
            "u is in 'pixel', wanted a speed in 'm s-1'; convert it with the spacing",
        ),
        (moving(1.0, 1.0).astype(str), TypeError, "u holds .*, wanted numbers"),
    ],
)
def test_what_is_no_motion_says_what_to_do(motion, error, words):
    with pytest.raises(error, match=words):
        plot.motion(motion)


def test_both_speeds_must_be_known_at_one_pixel():
    motion = moving(1.0, 1.0)
    motion["u"][:20] = np.nan
    motion["v"][20:] = np.nan
    with pytest.raises(ValueError, match="no pixel with both u and v"):
        plot.motion(motion)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda rain: rain.isel(x=slice(20)),
            "over has 20 points from 500 to 19500 along x, but motion 40 points from "
            "500 to 39500; draw the field",
        ),
        (
            lambda rain: rain.assign_coords(y=rain.y + 500.0),
            "over has 40 points from 1000 to 40000 along y, .* with .sel or .interp_li",
        ),
        (lambda rain: rain.drop_vars("x"), "40 points from 0 to 39 along x"),
    ],
)
def test_fields_on_another_grid_are_refused(change, words):
    motion = moving(1.0, 1.0)
    with pytest.raises(GridMismatchError, match=words):
        plot.motion(motion, over=change(raining(motion)))
    near = raining(motion).assign_coords(y=motion.y + 1e-4)
    plot.motion(motion, over=near)


def test_fields_that_are_no_maps_are_refused():
    motion = moving(1.0, 1.0)
    with pytest.raises(TypeError, match="over is a Dataset, wanted an xarray"):
        plot.motion(motion, over=motion)
    frames = raining(motion).expand_dims(time=3)
    with pytest.raises(ValueError, match=r"over has dims .*\.isel\(time=-1\)"):
        plot.motion(motion, over=frames)
    with pytest.raises(TypeError, match="ax is 3, wanted matplotlib axes"):
        plot.motion(motion, ax=3)


def test_what_is_given_is_not_changed():
    motion = turning(shape=(10, 12)).isel(y=slice(None, None, -1))
    rain = raining(motion)
    before = motion.copy(deep=True), rain.copy(deep=True)
    plot.motion(motion, over=rain)
    xr.testing.assert_identical(motion, before[0])
    xr.testing.assert_identical(rain, before[1])


def test_lazy_arrays_are_computed_once():
    pytest.importorskip("dask")
    motion = turning(shape=(10, 12))
    rain = raining(motion)
    computed = []

    def counted(block):
        computed.append(block.name)
        return block

    lazy = {
        name: array.chunk().map_blocks(counted, template=array.chunk())
        for name, array in {**motion.data_vars, "rain_rate": rain}.items()
    }
    rain_rate = lazy.pop("rain_rate")
    figure = plot.motion(xr.Dataset(lazy), over=rain_rate)
    assert sorted(computed) == ["rain_rate", "u", "v"]
    np.testing.assert_array_equal(
        arrows(figure), arrows(plot.motion(motion, over=rain))
    )


def test_pictures_can_be_saved_and_pickled(tmp_path):
    motion = turning()
    path = tmp_path / "motion.png"
    figure = plot.motion(motion, over=raining(motion), path=path)
    assert path.read_bytes()[1:4] == b"PNG"
    again = pickle.loads(pickle.dumps(figure))
    assert again._repr_png_().startswith(b"\x89PNG")
