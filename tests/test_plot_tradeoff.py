import itertools
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stormfusion import plot
from stormfusion.plot.points import lead_words, weight_words

LEADS = np.array([10, 20, 30], dtype="timedelta64[m]").astype("timedelta64[ns]")
FADE = np.array([1.0, 0.8, 0.6])


def table(group, names, csi, distance):
    """Scores that fade with lead, at the thresholds 3.5 and 12; less at the second."""
    csi = np.asarray(csi)[:, None] * FADE
    return xr.Dataset(
        {
            "csi": ((group, "lead", "threshold"), np.stack([csi, csi / 2], axis=-1)),
            "mse": ((group, "lead"), 1 / csi),
            "perceptual": ((group, "lead"), np.asarray(distance)[:, None] / FADE),
            "spectrum_ratio": (
                (group, "lead"),
                1 - np.asarray(distance)[:, None] * FADE,
            ),
        },
        coords={
            group: list(names),
            "lead": LEADS,
            "threshold": ("threshold", [3.5, 12.0], {"units": "kg m-2"}),
        },
    )


@pytest.fixture
def sweep():
    dataset = table("weight", [0.0, 0.03, 0.3], [0.5, 0.49, 0.3], [0.8, 0.5, 0.3])
    dataset["weight"].attrs["long_name"] = "weight of perceptual"
    dataset.attrs = {"chosen_weight": 0.03, "cost": 0.05, "term": "perceptual"}
    return dataset


@pytest.fixture
def evaluated():
    return table("forecast", ["unet", "persistence"], [0.5, 0.3], [0.8, 0.4])


def words(ax):
    return [text.get_text() for text in ax.texts]


def line(ax, label):
    return next(each for each in ax.lines if each.get_label().startswith(label))


def names(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn(ax):
    """What is drawn as single points, by name."""
    return {
        each.get_label(): (each.get_xdata()[0], each.get_ydata()[0])
        for each in ax.lines
        if each.get_linestyle() == "None"
    }


# --- sweeps


def test_a_sweep_joins_the_means_over_leads_in_order_of_weight(sweep):
    figure = plot.tradeoff(sweep.isel(weight=[2, 0, 1]))
    assert len(figure.axes) == 2
    for index, ax in enumerate(figure.axes):
        curve = line(ax, "weight of perceptual")
        some = sweep.isel(threshold=index).mean("lead")
        np.testing.assert_allclose(curve.get_xdata(), some.perceptual)
        np.testing.assert_allclose(curve.get_ydata(), some.csi)
        assert words(ax) == ["0", "0.03", "0.3"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "≥ 3.5 kg m⁻²",
        "≥ 12 kg m⁻²",
    ]


def test_right_is_sharper_and_up_is_more_skilful(sweep):
    ax = plot.tradeoff(sweep).axes[0]
    assert (ax.xaxis_inverted(), ax.yaxis_inverted()) == (True, False)
    assert ax.get_xlabel() == (
        "perceptual distance (sharper →)\nmean over leads 10 to 30 min"
    )
    assert ax.get_ylabel() == "CSI\n(more skilful →)"
    assert ax.yaxis.label.get_rotation() == 90  # so that the arrow points up
    turned = plot.tradeoff(sweep, skill="mse", sharpness="spectrum_ratio").axes[0]
    assert (turned.xaxis_inverted(), turned.yaxis_inverted()) == (False, True)
    assert "observed" in words(turned)


def test_a_spectrum_far_from_the_observed_is_drawn_by_itself(sweep):
    sweep["spectrum_ratio"] = sweep["spectrum_ratio"] / 10
    ax = plot.tradeoff(sweep, sharpness="spectrum_ratio").axes[0]
    assert ax.get_xlim()[1] < 0.2
    assert "observed" not in words(ax)


def test_weight_0_is_marked_and_the_chosen_weight_is_ringed(sweep):
    figure = plot.tradeoff(sweep, threshold=3.5)
    ax = figure.axes[0]
    some = sweep.isel(threshold=0).mean("lead")
    reference, ring = line(ax, "weight 0"), line(ax, "chosen, 0.03")
    for mark, weight in ((reference, 0.0), (ring, 0.03)):
        place = some.sel(weight=weight)
        assert mark.get_xdata()[0] == pytest.approx(float(place.perceptual))
        assert mark.get_ydata()[0] == pytest.approx(float(place.csi))
    assert ring.get_markerfacecolor() == "none"
    assert names(figure) == [
        "weight of perceptual",
        "weight 0, the reference",
        "more than 5 % below weight 0",
        "chosen, 0.03",
    ]


def test_what_costs_too_much_is_shaded(sweep):
    for index, ax in enumerate(plot.tradeoff(sweep).axes):
        best = float(sweep.csi.isel(weight=0, threshold=index).mean())
        band = ax.patches[0].get_bbox()
        assert band.y1 == pytest.approx(0.95 * best)
        assert band.y0 == pytest.approx(ax.get_ylim()[0])
        edges = [each.get_ydata()[0] for each in ax.lines]
        assert any(edge == pytest.approx(0.95 * best) for edge in edges)


def test_the_limit_and_the_points_are_both_in_sight(sweep):
    # the lowest point costs 4 %, the limit is at 5 %
    near = sweep.isel(weight=[0, 1]).copy(deep=True)
    near["csi"][1] *= 0.48 / 0.49
    ax = plot.tradeoff(near, threshold=3.5).axes[0]
    low, high = ax.get_ylim()
    assert low < 0.95 * 0.4 < 0.4 < high
    assert words(ax) == ["0", "0.03"]
    level = sweep.isel(weight=[0])  # whose own room reaches beyond the limit
    assert plot.tradeoff(level, threshold=3.5).axes[0].patches


def test_a_limit_far_below_is_told_and_squeezes_no_points(sweep):
    near = sweep.isel(weight=[0, 1])
    figure = plot.tradeoff(near, threshold=3.5)
    ax = figure.axes[0]
    low, high = ax.get_ylim()
    values = line(ax, "weight of").get_ydata()
    assert np.ptp(values) > 0.5 * (high - low)
    assert not ax.patches
    assert words(ax) == ["5 % below weight 0: 0.38 ↓", "0", "0.03"]
    assert not any("below" in name for name in names(figure))
    assert ax.texts[0].xy == (0, 0)  # where the arrow points from


@pytest.mark.parametrize(
    ("change", "absent"),
    [
        ({"skill": "mse"}, "more than"),
        ({"attrs": {"chosen_weight": 0.03}}, "more than"),
        ({"attrs": {"cost": 0.05}}, "chosen"),
        ({"attrs": {"cost": 0.05, "chosen_weight": 9.0}}, "chosen"),
        ({"attrs": {"cost": 0.05, "chosen_weight": np.nan}}, "chosen"),
    ],
)
def test_what_is_not_known_is_not_drawn(sweep, change, absent):
    sweep.attrs = change.pop("attrs", sweep.attrs)
    assert not any(absent in name for name in names(plot.tradeoff(sweep, **change)))


def test_a_sweep_without_weight_0_has_no_limit(sweep):
    ax = plot.tradeoff(sweep.isel(weight=[1, 2])).axes[0]
    assert not ax.patches
    assert not any("reference" in str(each.get_label()) for each in ax.lines)


def test_of_many_weights_only_the_ends_and_the_chosen_are_named():
    weights = np.round(np.linspace(0, 2, 20), 3)
    dataset = table(
        "weight", weights, np.linspace(0.5, 0.3, 20), np.linspace(1, 0.3, 20)
    )
    dataset.attrs = {"chosen_weight": weights[7], "cost": 0.05}
    ax = plot.tradeoff(dataset, threshold=12).axes[0]
    assert words(ax) == ["0", "0.737", "2"]
    assert len(line(ax, "weight").get_xdata()) == 20


def test_weights_are_written_without_an_exponent():
    texts = [weight_words(weight) for weight in (0.0, 0.1 * 0.3, 1e-6, 20.0, 1 / 3)]
    assert texts == ["0", "0.03", "0.000001", "20", "0.333"]


@pytest.mark.parametrize("count", [3, 9])
def test_labels_hide_neither_each_other_nor_points(count):
    part = np.linspace(0, 1, count)
    dataset = table("weight", 2 * part, 0.5 - 0.3 * part**2, 1 - 0.7 * part)
    figure = plot.tradeoff(dataset, threshold=3.5)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == count
    places = ax.transData.transform(line(ax, "weight").get_xydata())
    for index, box in enumerate(boxes):
        assert not any(box.contains(*place) for place in places)
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])
        assert ax.get_window_extent().fully_contains(box.x0, box.y0)
        assert ax.get_window_extent().fully_contains(box.x1, box.y1)


# --- evaluations


def test_an_evaluation_has_a_point_for_each_forecast(evaluated):
    figure = plot.tradeoff(evaluated)
    for index, ax in enumerate(figure.axes):
        some = evaluated.isel(threshold=index).mean("lead")
        assert set(drawn(ax)) == {"unet", "persistence"}
        for name, place in drawn(ax).items():
            one = some.sel(forecast=name)
            assert place == pytest.approx((float(one.perceptual), float(one.csi)))
        assert words(ax) == ["unet", "persistence"]
        assert line(ax, "persistence").get_color() == "#7b8794"
    assert not figure.legends


def test_one_point_is_drawn_too(evaluated, sweep):
    for one in (evaluated.isel(forecast=0), evaluated.isel(forecast=[0])):
        assert words(plot.tradeoff(one, threshold=12).axes[0]) == ["unet"]
    bare = evaluated.isel(forecast=0, lead=0, threshold=0, drop=True)
    ax = plot.tradeoff(bare).axes[0]
    assert drawn(ax) == {"forecast": (pytest.approx(0.8), pytest.approx(0.5))}
    assert ax.get_xlabel() == "perceptual distance (sharper →)"
    assert words(plot.tradeoff(sweep.isel(weight=0)).axes[0]) == ["0"]


def test_many_or_long_names_stand_in_a_legend(evaluated):
    many = evaluated.isel(forecast=[0] * 16).assign_coords(
        forecast=[f"unet+{index}*perceptual" for index in range(16)]
    )
    figure = plot.tradeoff(many, threshold=12)
    assert len(names(figure)) == 16
    assert not words(figure.axes[0])
    looks = {(e.get_color(), e.get_marker()) for e in figure.axes[0].lines}
    assert len(looks) == 16
    long = evaluated.assign_coords(forecast=["unet" + "+0.1*perceptual" * 8, "b"])
    figure = plot.tradeoff(long)
    assert names(figure)[0].replace("\n", "") == "unet" + "+0.1*perceptual" * 8
    width = figure.legends[0].get_window_extent().width
    assert width < figure.get_figwidth() * figure.dpi


# --- runs


def test_runs_are_named_and_what_they_share_is_drawn_once(evaluated):
    other = evaluated.copy(deep=True)
    other["csi"][0] *= 0.9
    ax = plot.tradeoff({"mse": evaluated, "mse+0.1*perceptual": other}).axes[0]
    assert list(drawn(ax)) == ["mse", "mse+0.1*perceptual", "persistence"]
    assert drawn(ax)["mse+0.1*perceptual"][1] == pytest.approx(0.9 * 0.4)
    other["csi"][1] *= 0.9
    ax = plot.tradeoff({"a": evaluated, "b": other, "c": other}).axes[0]
    assert list(drawn(ax)) == ["a", "b", "c", "persistence (a)", "persistence (b)"]
    grey = {line(ax, f"persistence ({run})").get_color() for run in "ab"}
    assert grey == {"#7b8794"}


def test_runs_of_other_leads_are_compared_where_they_meet(evaluated):
    runs = {"a": evaluated, "b": evaluated.isel(lead=[0, 2])}
    with pytest.raises(
        ValueError, match=r"'a' and 'b' have not the same lead; .* lead="
    ):
        plot.tradeoff(runs)
    assert len(drawn(plot.tradeoff(runs, lead=30).axes[0])) == 3
    runs = {"a": evaluated, "b": evaluated.isel(threshold=[1])}
    with pytest.raises(ValueError, match=r"not the same threshold; .* threshold="):
        plot.tradeoff(runs)
    assert len(plot.tradeoff(runs, threshold=12).axes) == 1


# --- what is chosen


@pytest.mark.parametrize(
    "lead",
    [20, 20.0, np.int64(20), "20min", "20 min", LEADS[1], pd.Timedelta("20min")],
)
def test_one_lead_is_chosen(evaluated, lead):
    ax = plot.tradeoff(evaluated, lead=lead).axes[0]
    assert drawn(ax)["unet"] == pytest.approx((1.0, 0.4))
    assert ax.get_xlabel().endswith("\nlead 20 min")


def test_a_dataset_of_one_lead(evaluated):
    for lead in (1, [1]):
        one = evaluated.isel(lead=lead)
        assert plot.tradeoff(one).axes[0].get_xlabel().endswith("\nlead 20 min")
        with pytest.raises(ValueError, match="no lead time of 30 min"):
            plot.tradeoff(one, lead=30)


@pytest.mark.parametrize(
    ("threshold", "heads"),
    [
        (12, ["≥ 12 kg m⁻²"]),
        ([12.0, 3.5, 12.0], ["≥ 12 kg m⁻²", "≥ 3.5 kg m⁻²"]),
        (np.float32(3.5), ["≥ 3.5 kg m⁻²"]),
    ],
)
def test_thresholds_are_chosen_by_value(evaluated, threshold, heads):
    figure = plot.tradeoff(evaluated, threshold=threshold)
    assert [ax.get_title(loc="left") for ax in figure.axes] == heads


def test_thresholds_may_be_words(evaluated):
    named = evaluated.assign_coords(threshold=["vil >= 3.5 kg m-2", "vil >= 12 kg m-2"])
    figure = plot.tradeoff(named, threshold="vil >= 12 kg m-2")
    assert figure.axes[0].get_title(loc="left") == "vil ≥ 12 kg m⁻²"
    with pytest.raises(ValueError, match=r"no threshold 12; choose from 'vil >= 3\.5"):
        plot.tradeoff(named, threshold=12)


# --- what is missing


def test_points_without_a_value_are_left_out(sweep):
    ax = plot.tradeoff(sweep.where(sweep.weight != 0.03)).axes[0]
    assert len(line(ax, "weight").get_xdata()) == 2
    assert words(ax) == ["0", "0.3"]
    for empty in (sweep * np.nan, sweep * np.inf):
        assert words(plot.tradeoff(empty, threshold=12).axes[0])[0].startswith("no csi")


def test_all_points_are_means_over_the_same_leads(evaluated):
    last = (evaluated.lead == LEADS[2]) & (evaluated.forecast == "unet")
    holes = evaluated.where(~last | (evaluated.threshold < 12))
    holes["perceptual"] = evaluated["perceptual"]
    left, right = plot.tradeoff(holes).axes
    assert left.get_title(loc="left") == "≥ 3.5 kg m⁻², leads 10 to 30 min"
    assert right.get_title(loc="left") == "≥ 12 kg m⁻², leads 10 to 20 min"
    for ax in (left, right):
        assert ax.get_xlabel().endswith("\nmean over the leads named above")
    alone = plot.tradeoff(holes, threshold=12).axes[0]
    assert alone.get_title(loc="left") == "≥ 12 kg m⁻²"
    assert alone.get_xlabel().endswith("\nmean over leads 10 to 20 min")
    whole = evaluated.isel(lead=[0, 1], threshold=1).mean("lead")
    for name, place in drawn(right).items():
        one = whole.sel(forecast=name)
        assert place == pytest.approx((float(one.perceptual), float(one.csi)))


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([], ""),
        ([20], "lead 20 min"),
        ([10, 15, 20], "leads 10 to 20 min"),
        ([5, 15, 60], "leads 5, 15 and 60 min"),
        ([5, 15, 20, 25, 60], "5 leads from 5 to 60 min"),
    ],
)
def test_leads_are_named_that_are_used(used, expected):
    assert lead_words(np.array(used, float), np.arange(5.0, 61, 5)) == expected


def test_one_lead_is_no_mean(evaluated):
    first = evaluated.where((evaluated.lead == LEADS[0]) | (evaluated.threshold < 12))
    first["perceptual"] = evaluated["perceptual"]
    ax = plot.tradeoff(first, threshold=12).axes[0]
    assert ax.get_xlabel() == "perceptual distance (sharper →)\nlead 10 min"


@pytest.fixture
def unreached(sweep):
    """A sweep in which nothing ever reaches 12 kg m-2."""
    return sweep.assign(csi=sweep.csi.where(sweep.threshold < 12))


def test_a_threshold_never_reached_has_no_panel(unreached, evaluated):
    figure = plot.tradeoff(unreached)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["≥ 3.5 kg m⁻²"]
    assert figure.legends[0].get_title().get_text() == "never reached: ≥ 12 kg m⁻²"
    assert not figure.get_supxlabel()  # which would lie under the legend
    bare = evaluated.assign(csi=evaluated.csi.where(evaluated.threshold < 12))
    figure = plot.tradeoff(bare)
    assert len(figure.axes) == 1
    assert figure.get_supxlabel() == "never reached: ≥ 12 kg m⁻²"
    many = bare.isel(forecast=[0] * 16).assign_coords(forecast=[*map(str, range(16))])
    figure = plot.tradeoff(many)
    assert figure.legends[0].get_title().get_text() == "never reached: ≥ 12 kg m⁻²"
    assert not figure.get_supxlabel()


def test_where_no_threshold_is_reached_one_panel_says_so(sweep):
    figure = plot.tradeoff(sweep.assign(csi=sweep.csi * np.nan))
    (ax,) = figure.axes
    assert words(ax) == ["no csi and perceptual defined"]
    assert not ax.get_title(loc="left")
    assert figure.get_supxlabel() == "never reached: ≥ 3.5 kg m⁻², ≥ 12 kg m⁻²"


def test_what_is_undefined_for_another_reason_is_not_called_unreached(evaluated):
    blind = evaluated.assign(perceptual=evaluated.perceptual * np.nan)
    said = plot.tradeoff(blind).get_supxlabel().replace("\n", " ")
    assert said == "no csi and perceptual defined: ≥ 3.5 kg m⁻², ≥ 12 kg m⁻²"
    score = evaluated.rename(csi="pod").where(evaluated.threshold < 12)
    score["perceptual"] = evaluated["perceptual"]
    said = plot.tradeoff(score, skill="pod").get_supxlabel()
    assert said == "no pod and perceptual defined: ≥ 12 kg m⁻²"


# --- what is close together


def x_labels(figure, ax):
    """Boxes and texts of the labels in sight along the x axis."""
    figure.draw_without_rendering()
    low, high = sorted(ax.get_xlim())
    ticks = zip(ax.get_xticks(), ax.get_xticklabels(), strict=True)
    seen = [label for place, label in ticks if low <= place <= high]
    return [label.get_window_extent() for label in seen], [t.get_text() for t in seen]


@pytest.mark.parametrize("skew", [0.0, 1e-9, 3e-4, 0.3, 4e5])
def test_ticks_are_apart_and_written_in_full(skew):
    distance = 0.4712 + skew * np.array([0.0, 1 / 3, 1.0])
    dataset = table("weight", [0, 0.03, 0.3], [0.5, 0.5 - 1e-4, 0.5 - 2e-4], distance)
    dataset["perceptual"] = dataset["perceptual"] * FADE  # the same at all leads
    for shown in ([3.5], [3.5, 12.0]):
        figure = plot.tradeoff(dataset, threshold=shown)
        for ax in figure.axes:
            boxes, texts = x_labels(figure, ax)
            assert len(set(texts)) == len(texts) > 1
            left = sorted(boxes, key=lambda box: box.x0)
            assert all(a.x1 + 4 < b.x0 for a, b in itertools.pairwise(left))
            for axis in (ax.xaxis, ax.yaxis):
                assert not axis.get_offset_text().get_text()
                ticks = [label.get_text() for label in axis.get_ticklabels()]
                assert not any(
                    "e" in tick or "\N{MULTIPLICATION SIGN}" in tick for tick in ticks
                )


@pytest.mark.parametrize(
    "power", [[0.7, 0.75, 1.0], [0.7, 0.99, 1.02], [1.3, 1.2, 1.01], [0.9, 0.98, 1.0]]
)
@pytest.mark.parametrize("group", ["weight", "forecast"])
def test_the_observed_is_named_off_frame_and_points(power, group):
    names = [0.0, 0.03, 0.3] if group == "weight" else ["unet", "persistence", "c"]
    dataset = table(group, names, [0.5, 0.49, 0.3], [0.8, 0.5, 0.3])
    dataset["spectrum_ratio"] = ((group, "lead"), np.array(power)[:, None].repeat(3, 1))
    dataset.attrs = {"chosen_weight": 0.03, "cost": 0.05}
    figure = plot.tradeoff(dataset, sharpness="spectrum_ratio")
    figure.draw_without_rendering()
    for ax in figure.axes:
        said = next(text for text in ax.texts if text.get_text() == "observed")
        box, frame = said.get_window_extent(), ax.get_window_extent()
        assert frame.x0 < box.x0 < box.x1 < frame.x1
        assert frame.y0 < box.y0 < box.y1 < frame.y1
        line = ax.transData.transform((1.0, 0.4))[0]
        assert not box.x0 < line < box.x1
        others = [text for text in ax.texts if text is not said]
        assert not any(box.overlaps(text.get_window_extent()) for text in others)
        at = dataset.sel(threshold=3.5 if ax is figure.axes[0] else 12.0).mean("lead")
        places = ax.transData.transform(np.stack([power, at.csi], axis=1))
        assert not any(box.padded(4).contains(*place) for place in places)


def test_points_that_coincide_share_a_label_and_are_all_seen(evaluated):
    near = evaluated.copy(deep=True)
    near["csi"][0] *= 1.0001
    runs = {"first": evaluated, "second": near, "third": evaluated}
    for ax in plot.tradeoff(runs).axes:
        assert words(ax) == ["first, second, third", "persistence"]
        sizes = [line(ax, name).get_markersize() for name in runs]
        assert sizes == sorted(sizes, reverse=True)
        assert min(-np.diff(sizes)) >= 3
        assert min(sizes) == line(ax, "persistence").get_markersize()


def test_many_that_coincide_are_all_seen_beside_their_legend(evaluated):
    figure = plot.tradeoff({f"run {index}": evaluated for index in range(14)})
    assert len(names(figure)) == 15
    sizes = [line(figure.axes[0], f"run {index}").get_markersize() for index in (0, 1)]
    assert sizes[0] > sizes[1]


def test_a_legend_shows_all_marks_of_one_size(evaluated):
    long = {f"unet+crps+0.0{index}*perceptual": evaluated for index in range(1, 10)}
    handles = plot.tradeoff(long).legends[0].legend_handles
    assert {handle.get_markersize() for handle in handles} == {8.0}


def test_weights_that_coincide_share_a_label():
    dataset = table("weight", [0, 0.03, 0.1, 0.3], [0.5, 0.49, 0.49, 0.3], [4, 3, 3, 2])
    assert words(plot.tradeoff(dataset).axes[0]) == ["0", "0.03, 0.1", "0.3"]


# --- bad input


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ({"skill": "fss"}, ValueError, r"holds no 'fss'; choose one of \['csi', 'mse'"),
        ({"sharpness": "lpips"}, ValueError, r"no 'lpips'; choose one of \['percep"),
        ({"skill": "bias"}, ValueError, "'bias' is no measure of skill .* of csi"),
        ({"sharpness": "mse"}, ValueError, "choose one of perceptual, lpips, spec"),
        ({"skill": "perceptual"}, ValueError, "are both 'perceptual'"),
        ({"skill": 3}, TypeError, "skill is 3, wanted a name such as 'csi'"),
        ({"sharpness": None}, TypeError, "sharpness is None, wanted a name"),
        ({"threshold": 5}, ValueError, "no threshold 5; choose from 3.5, 12"),
        ({"threshold": []}, ValueError, "threshold is empty"),
        ({"lead": 25}, ValueError, "no lead time of 25 min; choose one of 10, 20, 30"),
        ({"lead": "soon"}, ValueError, "wanted a time with its unit"),
        ({"lead": True}, TypeError, "lead True has no unit"),
        ({"lead": np.nan}, TypeError, "lead nan has no unit"),
        ({"threshold": True}, TypeError, "threshold is True, wanted a number or words"),
        ({"threshold": [{}]}, TypeError, "threshold is {}, wanted a number or words"),
        ({"path": "picture.doc"}, ValueError, "ending of a picture"),
    ],
)
def test_what_cannot_be_drawn_says_what_to_do(evaluated, given, error, match):
    with pytest.raises(error, match=match):
        plot.tradeoff(evaluated, **given)


def test_other_datasets_are_refused(evaluated, sweep):
    for odd in (evaluated.csi, None, [evaluated]):
        with pytest.raises(TypeError, match=r"wanted an xarray\.Dataset of scores, or"):
            plot.tradeoff(odd)
    with pytest.raises(TypeError, match="run 'a' is 3, wanted"):
        plot.tradeoff({"a": 3})
    with pytest.raises(TypeError, match="name of a run is 1, wanted words"):
        plot.tradeoff({1: evaluated})
    with pytest.raises(ValueError, match="give at least one run"):
        plot.tradeoff({})
    with pytest.raises(ValueError, match="run 'a' is a sweep of weights"):
        plot.tradeoff({"a": sweep})
    with pytest.raises(ValueError, match="run 'b' holds no 'perceptual'; choose"):
        plot.tradeoff({"a": evaluated, "b": evaluated.drop_vars("perceptual")})
    with pytest.raises(ValueError, match="no 'perceptual'; score it anew with perc"):
        plot.tradeoff(evaluated[["csi"]])
    with pytest.raises(ValueError, match=r"isel\(scale=0\)"):
        plot.tradeoff(evaluated.expand_dims(scale=2))
    with pytest.raises(ValueError, match="has no forecast; give scores of at least"):
        plot.tradeoff(evaluated.isel(forecast=[]))
    with pytest.raises(
        ValueError, match="no threshold to choose; leave threshold= out"
    ):
        plot.tradeoff(evaluated.isel(threshold=0, drop=True), threshold=3.5)
    pooled = evaluated.assign(perceptual=evaluated.perceptual.mean("lead"))
    with pytest.raises(
        ValueError, match="only one of csi and perceptual is given by l"
    ):
        plot.tradeoff(pooled)
    with pytest.raises(TypeError, match="csi holds <U"):
        plot.tradeoff(evaluated.assign(csi=evaluated.csi.astype(str)))


def test_a_spectrum_by_wavelength_is_to_be_pooled_first(evaluated):
    spectra = evaluated.spectrum_ratio.expand_dims(wavelength=[4.0, 8.0])
    given = evaluated.assign(spectrum_ratio=spectra)
    with pytest.raises(ValueError, match=r"wavelength=0\), or pool them with \.mean"):
        plot.tradeoff(given, sharpness="spectrum_ratio")
    plot.tradeoff(given.mean("wavelength"), sharpness="spectrum_ratio")


# --- the house


def test_it_is_titled_saved_and_pickled_and_changes_nothing(sweep, tmp_path):
    before = sweep.copy(deep=True)
    path = tmp_path / "cost.png"
    figure = plot.tradeoff(sweep, title="what it costs", path=path)
    assert path.stat().st_size > 10_000
    assert figure.get_suptitle() == "what it costs"
    pickle.loads(pickle.dumps(figure))
    xr.testing.assert_identical(sweep, before)


def test_units_and_long_names_stand_at_the_axes(evaluated):
    evaluated["mse"].attrs = {"long_name": "mean squared error", "units": "kg2 m-4"}
    ax = plot.tradeoff(evaluated, skill="mse").axes[0]
    assert ax.get_ylabel() == "mean squared error [kg² m⁻⁴]\n(more skilful →)"


def test_drawing_takes_no_pyplot_and_reading_no_matplotlib():
    code = (
        "import sys, xarray as xr, stormfusion.plot as plot\n"
        "assert 'matplotlib' not in sys.modules\n"
        "a = ('forecast', [0.5, 0.4])\n"
        "plot.tradeoff(xr.Dataset({'csi': a, 'perceptual': a}))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
