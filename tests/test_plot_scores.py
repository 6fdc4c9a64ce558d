"""Performance diagrams, tables of the fractions skill score, power spectra."""

import pickle

import numpy as np
import pytest
import xarray as xr

from stormfusion import plot
from stormfusion.verification import contingency, fss, spectrum_ratio, verify

LEADS = np.array([10, 20, 30], dtype="timedelta64[m]").astype("timedelta64[ns]")
THRESHOLDS = [3.5, 12.0]


@pytest.fixture
def counts():
    """Of two forecasts, thresholds 3.5 and 12, and leads 10 to 30 min."""
    hits = np.array([[[90, 30], [60, 10], [10, 1]], [[80, 20], [20, 5], [10, 0]]])
    misses = np.array([[[10, 20], [40, 40], [90, 49]], [[20, 30], [80, 45], [90, 50]]])
    false = np.array([[[5, 5], [60, 30], [35, 3]], [[20, 30], [80, 45], [90, 50]]])
    dims = ("forecast", "lead", "threshold")
    return xr.Dataset(
        {
            "hits": (dims, hits),
            "misses": (dims, misses),
            "false_alarms": (dims, false),
            "correct_negatives": (dims, 1000 - hits - misses - false),
        },
        coords={
            "forecast": ["unet", "persistence"],
            "lead": LEADS,
            "threshold": ("threshold", THRESHOLDS, {"units": "kg m-2"}),
        },
    )


@pytest.fixture(scope="module")
def storms():
    """What came and what two forecasts said, on leads and members."""
    generator = np.random.default_rng(0)
    rain = np.cumsum(generator.normal(size=(3, 32, 32)), axis=-1) ** 2
    near = {"units": "m"}
    y = ("y", (np.arange(32) + 0.5) * 1000.0, near)
    x = ("x", (np.arange(32) + 0.5) * 1000.0, near)
    grid = {"lead": LEADS, "y": y, "x": x}
    observed = xr.DataArray(rain, dims=("lead", "y", "x"), coords=grid, name="mine")
    moved = xr.concat([observed.roll(x=i) for i in (1, 2, 3)], "member")
    return {"ensemble": moved, "still": observed.roll(x=4)}, observed


@pytest.fixture(scope="module")
def verified(storms):
    forecasts, observed = storms
    return verify(
        forecasts, observed, thresholds=[2.0, 20.0], scales=[1, 5, 9], distances=()
    )


def words(ax):
    return [text.get_text() for text in ax.texts]


def curves(ax):
    return {
        each.get_label(): np.asarray(each.get_xydata())
        for each in ax.lines
        if not str(each.get_label()).startswith("_")
    }


def names(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# --- performance diagrams


def test_a_point_has_the_ratios_of_the_counts_of_all_leads(counts):
    figure = plot.performance(counts)
    (ax,) = figure.axes
    drawn = curves(ax)
    assert list(drawn) == ["unet", "persistence"]
    # hits 160 and 41, false alarms 100 and 38, misses 140 and 109
    expected = [[160 / 260, 160 / 300], [41 / 79, 41 / 150]]
    np.testing.assert_allclose(drawn["unet"], expected)
    h, m, f = (counts[name].sum("lead")[1] for name in list(counts)[:3])
    expected = np.stack([h / (h + f), h / (h + m)], axis=1)
    np.testing.assert_allclose(drawn["persistence"], expected)
    mean = (counts.hits / (counts.hits + counts.false_alarms)).mean("lead")[0]
    assert not np.allclose(drawn["unet"][:, 0], mean), "the ratios differ in this test"
    heading = "by threshold [kg m⁻²], leads 10 to 30 min together"
    assert ax.get_title(loc="left") == heading
    labels = ["critical success index", "frequency bias"]
    assert names(figure) == ["unet", "persistence", *labels]


def test_points_are_those_that_the_scores_say(counts, storms, verified):
    forecasts, observed = storms
    still = contingency(
        forecasts["still"], observed, threshold=[2.0, 20.0], over=("lead", "y", "x")
    )
    one = curves(plot.performance(still).axes[0])["forecast"]
    both = curves(plot.performance(verified).axes[0])["still"]
    np.testing.assert_allclose(both, one)
    last = verified.isel(lead=-1)
    points = curves(plot.performance(last).axes[0])["ensemble"]
    np.testing.assert_allclose(points[:, 0], last.success_ratio[0])
    np.testing.assert_allclose(points[:, 1], last.pod[0])


def test_lines_of_equal_csi_and_bias_are_where_these_are(counts):
    ax = plot.performance(counts).axes[0]
    csi, bias = ax.collections
    for segment, level in zip(csi.get_segments(), np.arange(1, 10) / 10, strict=True):
        x, y = segment.T
        np.testing.assert_allclose(1 / (1 / x + 1 / y - 1), level)
    edges = ax.child_axes
    (top, right) = (
        {text.get_text(): tick for text, tick in zip(labels, ticks, strict=True)}
        for labels, ticks in (
            (edges[0].get_xticklabels(), edges[0].get_xticks()),
            (edges[1].get_yticklabels(), edges[1].get_yticks()),
        )
    )
    assert (top["2"], right["0.5"]) == (0.5, 0.5)
    ends = [segment[-1] for segment in bias.get_segments()]
    assert {(0.5, 1.0), (1.0, 0.5)} <= set(map(tuple, ends))
    levels = {text for text in words(ax) if text in {f"0.{i}" for i in range(1, 10)}}
    assert len(levels) == 9


def test_thresholds_stand_beside_the_points_in_their_order(counts):
    ax = plot.performance(counts.isel(forecast=0, threshold=[1, 0])).axes[0]
    points = {
        text.get_text(): text.xy for text in ax.texts if text.get_text() in "3.5 12"
    }
    np.testing.assert_allclose(points["3.5"], [160 / 260, 160 / 300])
    np.testing.assert_allclose(points["12"], [41 / 79, 41 / 150])
    x = curves(ax)["forecast"][:, 0]
    np.testing.assert_allclose(x, [160 / 260, 41 / 79])


def test_along_lead_each_lead_is_a_point_and_each_threshold_a_panel(counts):
    figure = plot.performance(counts, along="lead")
    heads = [ax.get_title(loc="left") for ax in figure.axes]
    assert heads == [
        "≥ 3.5 kg m⁻², by lead time [min]",
        "≥ 12 kg m⁻², by lead time [min]",
    ]
    x = curves(figure.axes[1])["unet"][:, 0]
    np.testing.assert_allclose(x, [30 / 35, 10 / 40, 1 / 4])
    assert {"10", "20", "30"} <= set(words(figure.axes[1]))


def test_points_are_leads_where_there_is_one_threshold(counts):
    for one in (counts.isel(threshold=[0]), counts.isel(threshold=0)):
        (ax,) = plot.performance(one).axes
        assert ax.get_title(loc="left") == "≥ 3.5 kg m⁻², by lead time [min]"
        assert len(curves(ax)["unet"]) == 3


def test_a_lone_point_and_ratios_as_they_are(counts):
    lone = counts.isel(forecast=0, lead=1, threshold=0)
    (ax,) = plot.performance(lone).axes
    np.testing.assert_allclose(curves(ax)["forecast"], [[0.5, 0.6]])
    assert ax.get_title(loc="left") == "unet, ≥ 3.5 kg m⁻², +20 min"
    ratios = xr.Dataset({"success_ratio": 0.5, "pod": 0.6})
    (ax,) = plot.performance(ratios).axes
    np.testing.assert_allclose(curves(ax)["forecast"], [[0.5, 0.6]])
    short = counts.isel(lead=[1])
    assert plot.performance(short).axes[0].get_title(loc="left").endswith("+20 min")


def test_ratios_of_several_leads_are_not_averaged(counts):
    h, m, f = (counts[name] for name in ("hits", "misses", "false_alarms"))
    ratios = xr.Dataset({"success_ratio": h / (h + f), "pod": h / (h + m)})
    with pytest.raises(ValueError, match=r"3 leads.*isel\(lead=-1\).*along='lead'"):
        plot.performance(ratios)
    x = curves(plot.performance(ratios, along="lead").axes[0])["unet"][:, 0]
    np.testing.assert_allclose(x, ratios.success_ratio[0, :, 0])
    assert len(curves(plot.performance(ratios.isel(lead=[0])).axes[0])["unet"]) == 2
    both = ratios.assign(counts)
    np.testing.assert_allclose(
        curves(plot.performance(both).axes[0])["unet"][0], [160 / 260, 160 / 300]
    )


def test_points_without_an_event_are_left_out_and_none_is_told(counts):
    rare = counts.where(counts.threshold < 10, 0)
    drawn = curves(plot.performance(rare).axes[0])
    assert [len(points) for points in drawn.values()] == [1, 1]
    for nothing in (counts * 0, counts * np.nan):
        assert "no event forecast, or none observed" in words(
            plot.performance(nothing).axes[0]
        )


def test_a_lead_that_lacks_is_not_added_up(counts):
    lacking = counts.where((counts.forecast != "unet") | (counts.lead != LEADS[0]))
    drawn = curves(plot.performance(lacking).axes[0])
    assert [len(points) for points in drawn.values()] == [0, 2]


def test_points_that_coincide_share_a_label(counts):
    same = counts.isel(forecast=0, lead=0, threshold=[0, 0, 0, 1])
    same = same.assign_coords(threshold=[1.0, 2.0, 3.0, 4.0])
    assert "1 to 3" in words(plot.performance(same).axes[0])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d.drop_vars("misses"), {}, "lacks misses; make it with verific"),
        (lambda d: d.expand_dims("case"), {}, r"choose one with \.isel\(case=0\)"),
        (lambda d: d.isel(threshold=[]), {}, "hits has no threshold"),
        (lambda d: d.astype(str), {}, "hits holds .*wanted numbers"),
        (lambda d: d, {"along": "case"}, "choose 'threshold' or 'lead'"),
        (lambda d: d.isel(lead=0), {"along": "lead"}, "no lead to draw along"),
        (lambda d: d.hits, {}, "wanted an xarray.Dataset of scores; give what"),
    ],
)
def test_a_performance_diagram_refuses(counts, change, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        plot.performance(change(counts), **options)


# --- fractions


def outlined(ax):
    return {
        tuple(sorted(map(tuple, segment.tolist())))
        for segment in ax.collections[0].get_segments()
    }


@pytest.fixture
def table():
    values = [[0.4, 0.7, 0.9], [0.1, 0.3, 0.6]]
    return xr.Dataset(
        {
            "fss": (("threshold", "scale"), values),
            "fss_useful": ("threshold", [0.7, 0.55]),
        },
        coords={
            "threshold": ("threshold", THRESHOLDS, {"units": "kg m-2"}),
            "scale": [1, 5, 9],
        },
    )


def test_cells_hold_scores_and_the_useful_ones_are_outlined(table):
    for given in (table, table.isel(threshold=[1, 0], scale=[2, 0, 1])):
        (ax,) = plot.fractions(given).axes
        assert words(ax) == ["0.40", "0.70", "0.90", "0.10", "0.30", "0.60"]
        np.testing.assert_array_equal(ax.images[0].get_array(), table.fss)
        # 0.7 is reached: columns 1 and 2 of row 0, column 2 of row 1
        assert outlined(ax) == {
            ((0.5, -0.5), (0.5, 0.5)),
            ((0.5, -0.5), (1.5, -0.5)),
            ((0.5, 0.5), (1.5, 0.5)),
            ((1.5, -0.5), (2.5, -0.5)),
            ((1.5, 0.5), (1.5, 1.5)),
            ((1.5, 1.5), (2.5, 1.5)),
            ((2.5, -0.5), (2.5, 0.5)),
            ((2.5, 0.5), (2.5, 1.5)),
        }


def test_scales_are_pixels_or_kilometres(table):
    (ax,) = plot.fractions(table).axes
    assert ax.get_xlabel() == "width of the window [pixel]"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "5", "9"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["3.5", "12"]
    assert ax.get_ylabel() == "threshold [kg m⁻²]"
    (ax,) = plot.fractions(table, spacing=0.5).axes
    assert ax.get_xlabel() == "width of the window [km]"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.5", "2.5", "4.5"]
    named = table.assign_coords(threshold=["vil ≥ 3.5 kg m⁻²", "vil ≥ 12 kg m⁻²"])
    assert plot.fractions(named).axes[0].get_ylabel() == "hazard"
    for odd in (0, -1.0, "2", np.inf, True):
        with pytest.raises(ValueError, match=r"spacing is .*width of a pixel \[km\]"):
            plot.fractions(table, spacing=odd)


def test_fractions_are_of_one_lead_and_each_forecast_has_a_panel(verified):
    figure = plot.fractions(verified)
    heads = [ax.get_title(loc="left") for ax in figure.axes]
    assert heads == ["ensemble, +30 min", "still, +30 min"]
    for ax, name in zip(figure.axes, ("ensemble", "still"), strict=True):
        drawn = ax.images[0].get_array()
        np.testing.assert_allclose(drawn, verified.fss.sel(forecast=name)[-1])
    first = plot.fractions(verified, lead="10 min").axes[1]
    np.testing.assert_allclose(first.images[0].get_array(), verified.fss[1, 0])
    with pytest.raises(ValueError, match="no lead time of 15 min; choose one of 10"):
        plot.fractions(verified, lead="15 min")
    with pytest.raises(ValueError, match="no lead to choose; leave lead= out"):
        plot.fractions(verified.isel(lead=0), lead="10 min")


def test_a_lone_score_has_no_outline_and_missing_is_told(storms, table):
    forecasts, observed = storms
    score = fss(forecasts["still"], observed, threshold=2.0, scale=[1, 9], over="lead")
    (ax,) = plot.fractions(score).axes
    assert not ax.collections
    assert ax.images[0].get_array().shape == (1, 2)
    figure = plot.fractions(table.where(table.threshold < 10))
    assert words(figure.axes[0])[-3:] == ["-", "-", "-"]
    assert figure.get_supxlabel().endswith("outlined: useful; grey: no event")
    (ax,) = plot.fractions(table.isel(threshold=1, scale=2)).axes
    assert words(ax) == ["0.60"]
    assert len(outlined(ax)) == 4


def test_fractions_refuse_what_does_not_belong_together(table, verified):
    with pytest.raises(ValueError, match="lacks fss; make it with verif"):
        plot.fractions(table.drop_vars("fss"))
    with pytest.raises(ValueError, match=r"isel\(case=0\)"):
        plot.fractions(table.expand_dims("case"))
    pooled = verified.assign(fss=verified.fss.isel(lead=0, drop=True))
    with pytest.raises(ValueError, match="fss_useful is given by lead and fss is not"):
        plot.fractions(pooled)


# --- spectra


@pytest.fixture
def power():
    ratios = [[0.3, np.nan, 0.9, 1.1], [0.8, 0.9, np.inf, 1.0]]
    return xr.Dataset(
        {
            "spectrum": (("forecast", "wavelength"), ratios),
            "effective_resolution": ("forecast", [4.6, np.inf]),
        },
        coords={"forecast": ["unet", "steps"], "wavelength": [2.8, 4.0, 8.0, 16.0]},
    )


def test_spectra_run_from_long_to_short_waves_and_pass_over_gaps(power):
    for given in (power, power.isel(wavelength=[3, 1, 0, 2])):
        figure = plot.spectrum(given)
        (ax,) = figure.axes
        drawn = curves(ax)
        ours = drawn["unet, resolves 4.6 km"]
        np.testing.assert_allclose(ours, [[2.8, 0.3], [8.0, 0.9], [16.0, 1.1]])
        steps = drawn["steps, resolves no scale"]
        np.testing.assert_allclose(steps, [[2.8, 0.8], [4.0, 0.9], [16.0, 1.0]])
        left, right = ax.get_xlim()
        assert left > 16.0
        assert right < 2.8
        assert ax.get_xscale() == "log"
        (mark,) = [line for line in ax.lines if line.get_label().startswith("_")]
        np.testing.assert_allclose(mark.get_xdata(), [4.6, 4.6])
        levels = [drawn[name][0, 1] for name in ("as observed", "half of it")]
        assert levels == [1.0, 0.5]


def test_ratios_that_span_much_stand_on_a_logarithmic_axis(power):
    assert plot.spectrum(power).axes[0].get_yscale() == "linear"
    smooth = power.assign(spectrum=power.spectrum.where(power.wavelength > 3, 1e-6))
    (ax,) = plot.spectrum(smooth).axes
    assert ax.get_yscale() == "log"
    low = ax.get_ylim()[0]
    assert 0.005 < low < 0.01
    assert curves(ax)["unet, resolves 4.6 km"][0, 1] == pytest.approx(low)


def test_spectra_are_of_one_lead_and_say_of_what(storms, verified):
    (ax,) = plot.spectrum(verified).axes
    assert ax.get_title(loc="left") == "+30 min"
    assert ax.get_xlabel() == "wavelength [km]\npower of the values as they are"
    for place, lead in ((0, "10 min"), (-1, None)):
        (ax,) = plot.spectrum(verified, lead=lead).axes
        drawn = next(xy for name, xy in curves(ax).items() if "still" in name)
        wanted = (
            verified.spectrum.isel(lead=place)
            .sel(forecast="still")
            .dropna("wavelength")
        )
        np.testing.assert_allclose(drawn[:, 1], wanted)
    forecasts, observed = storms
    lone = spectrum_ratio(forecasts["still"], observed, over=("lead", "y", "x"))
    assert plot.spectrum(lone).axes[0].get_title(loc="left") == ""


def test_spectra_without_power_are_told_and_others_refused(power):
    assert words(plot.spectrum(power * np.nan).axes[0]) == ["no power"]
    bare = plot.spectrum(power.drop_vars("effective_resolution")).axes[0]
    assert "unet" in curves(bare)
    with pytest.raises(ValueError, match="lacks spectrum; make it with verification"):
        plot.spectrum(power.drop_vars("spectrum"))
    with pytest.raises(ValueError, match="no coordinate wavelength; make it"):
        plot.spectrum(power.drop_vars("wavelength"))
    with pytest.raises(ValueError, match="wavelength is needed"):
        plot.spectrum(power.isel(wavelength=0))


# --- all


@pytest.mark.parametrize("draw", [plot.performance, plot.fractions, plot.spectrum])
def test_pictures_have_titles_are_saved_and_can_be_pickled(draw, verified, tmp_path):
    figure = draw(verified, title="many words " * 20, path=tmp_path / "one.png")
    assert "\n" in figure.get_suptitle()
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"
    again = pickle.loads(pickle.dumps(figure))
    assert again._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("draw", [plot.performance, plot.fractions, plot.spectrum])
def test_pictures_are_drawn_of_lazy_scores(draw, verified):
    pytest.importorskip("dask")
    draw(verified.chunk())
