"""ROC curves, economic value and rank histograms."""

import pickle

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from stormfusion import plot
from stormfusion.plot.histograms import band
from stormfusion.verification import (
    economic_value,
    rank_histogram,
    reliability,
    roc,
    verify,
)

LEADS = np.array([10, 20, 30], dtype="timedelta64[m]").astype("timedelta64[ns]")


@pytest.fixture(scope="module")
def rain():
    """Ten members, and observations that are like them, on lead and place."""
    generator = np.random.default_rng(3)
    common = generator.normal(size=(3, 400, 1))
    values = common + 0.8 * generator.normal(size=(3, 400, 11))
    coords = {"lead": LEADS}
    all_of = xr.DataArray(values, dims=("lead", "x", "member"), coords=coords)
    observed = all_of.isel(member=-1).assign_attrs(units="mm")
    return all_of.isel(member=slice(10)), observed


def words(ax):
    return [text.get_text() for text in ax.texts]


def curves(ax):
    return {
        str(each.get_label()).split(",")[0]: np.asarray(each.get_xydata())
        for each in ax.lines
    }


def named(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def joined(parts):
    both = xr.concat(parts.values(), "forecast", join="outer")
    return both.assign_coords(forecast=list(parts))


# --- ROC


def test_a_roc_curve_goes_through_its_probabilities_to_no_warning(rain):
    found = roc(*rain, threshold=0.5, over=("lead", "x"))
    (ax,) = plot.roc(found).axes
    drawn = curves(ax)["forecast"]
    np.testing.assert_allclose(drawn[:-1, 0], found.pofd)
    np.testing.assert_allclose(drawn[:-1, 1], found.pod)
    np.testing.assert_array_equal(drawn[-1], [0.0, 0.0])
    assert named(ax) == ["no skill", f"forecast, area {found.roc_area:.2f}"]
    np.testing.assert_array_equal(curves(ax)["no skill"], [[0, 0], [1, 1]])
    assert ax.get_title(loc="left") == "≥ 0.5 mm"
    line = ax.lines[1]
    assert list(line.get_markevery()) == list(range(11))


@pytest.mark.parametrize("bins", [None, 10])
def test_a_few_probabilities_are_named_where_they_are(rain, bins):
    found = roc(*rain, threshold=0.5, bins=bins, over=("lead", "x"))
    (ax,) = plot.roc(found).axes
    # 30 % is the share of 3 of 10 members, or where the fourth of 10 bins begins
    label = next(text for text in ax.texts if text.get_text() == "30%")
    np.testing.assert_allclose(label.xy, [found.pofd[3], found.pod[3]])


def test_to_warn_always_is_not_named(rain):
    forecast, observed = rain
    found = roc(forecast[..., :3], observed, threshold=0.5, over=("lead", "x"))
    assert set(words(plot.roc(found).axes[0])) == {"33.3%", "66.7%", "100%"}


def test_each_threshold_has_a_panel_and_the_last_lead_is_drawn(rain):
    found = roc(*rain, threshold=[0.0, 1.0])
    figure = plot.roc(found)
    heads = [ax.get_title(loc="left") for ax in figure.axes]
    assert heads == ["≥ 0 mm, +30 min", "≥ 1 mm, +30 min"]
    drawn = curves(figure.axes[1])["forecast"][:-1, 1]
    np.testing.assert_allclose(drawn, found.pod[-1, 1])
    first = curves(plot.roc(found, lead="10 min").axes[0])["forecast"][:-1, 1]
    np.testing.assert_allclose(first, found.pod[0, 0])
    with pytest.raises(TypeError, match="lead 10 has no unit; write '10 min'"):
        plot.roc(found, lead=10)


def test_ensembles_of_other_sizes_are_drawn_at_their_own_probabilities(rain):
    forecast, observed = rain
    over = ("lead", "x")
    parts = {
        "ten": roc(forecast, observed, threshold=0.5, over=over),
        "three": roc(forecast[..., :3], observed, threshold=0.5, over=over),
    }
    (ax,) = plot.roc(joined(parts)).axes
    drawn = curves(ax)
    assert (len(drawn["ten"]), len(drawn["three"])) == (12, 5)
    for name, part in parts.items():
        np.testing.assert_allclose(drawn[name][:-1, 1], part.pod)


def test_an_undefined_roc_curve_is_told(rain):
    found = roc(*rain, threshold=1e3, over=("lead", "x"))
    (ax,) = plot.roc(found).axes
    assert words(ax) == ["undefined: the event\ncame always or never"]
    # the legend names what is drawn
    assert named(ax) == ["no skill"]


def test_roc_refuses_what_is_no_curve(rain):
    forecast, observed = rain
    found = roc(forecast, observed, threshold=0.5)
    maps = (array.expand_dims("y") for array in (forecast[..., 0], observed))
    scores = verify(*maps, variable="mine", thresholds=[0.5], scales=[1])
    with pytest.raises(
        ValueError, match=r"one warning, but a ROC .* verification\.roc"
    ):
        plot.roc(scores)
    with pytest.raises(ValueError, match=r"lacks pofd; make it with verification\.roc"):
        plot.roc(found.drop_vars("pofd"))
    with pytest.raises(ValueError, match=r"isel\(case=0\)"):
        plot.roc(found.expand_dims("case"))
    with pytest.raises(ValueError, match="roc_area is given by lead and pod is not"):
        plot.roc(found.isel(lead=0, drop=True).assign(roc_area=found.roc_area))
    with pytest.raises(TypeError, match=r"wanted an xarray.Dataset .*verification.roc"):
        plot.roc(found.pod)


# --- economic value


def test_value_is_drawn_by_cost_and_the_base_rate_is_marked(rain):
    over = ("lead", "x")
    worth = economic_value(*rain, threshold=[0.0, 1.0], over=over)
    rate = reliability(*rain, threshold=[0.0, 1.0], over=over).base_rate
    given = worth.to_dataset(name="economic_value").assign(base_rate=rate)
    figure = plot.value(given.isel(cost_loss=slice(None, None, -1)))
    assert len(figure.axes) == 2
    for place, ax in enumerate(figure.axes):
        drawn = curves(ax)
        np.testing.assert_allclose(drawn["forecast"][:, 0], worth.cost_loss)
        np.testing.assert_allclose(drawn["forecast"][:, 1], worth[place])
        assert drawn["base rate"][0, 0] == pytest.approx(rate[place].item())
        assert ax.get_xscale() == "linear"
    np.testing.assert_allclose(
        curves(plot.value(worth).axes[1])["forecast"][:, 1], worth[1]
    )


def test_rare_events_stand_on_a_logarithmic_axis():
    cost = np.geomspace(0.001, 0.9, 50)
    values = np.exp(-(np.log(cost / 0.02) ** 2))
    worth = xr.DataArray(values, dims="cost_loss", coords={"cost_loss": cost})
    (ax,) = plot.value(worth).axes
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (0.001, 1.0)
    given = worth.to_dataset(name="economic_value").assign(base_rate=0.0005)
    assert plot.value(given).axes[0].get_xlim()[0] == pytest.approx(0.0004)
    often = worth.assign_coords(cost_loss=np.linspace(0.01, 0.99, 50))
    assert plot.value(often).axes[0].get_xscale() == "linear"


def test_value_of_one_lead_with_gaps_and_of_nothing(rain):
    worth = economic_value(*rain, threshold=0.5)
    (ax,) = plot.value(worth).axes
    assert ax.get_title(loc="left") == "≥ 0.5 mm, +30 min"
    np.testing.assert_allclose(curves(ax)["forecast"][:, 1], worth[-1])
    first = curves(plot.value(worth, lead="10 min").axes[0])["forecast"][:, 1]
    np.testing.assert_allclose(first, worth[0])
    gaps = worth.where(worth.cost_loss > 0.5)
    assert len(curves(plot.value(gaps).axes[0])["forecast"]) == 49
    nothing = plot.value(worth * np.nan).axes[0]
    assert words(nothing) == ["undefined: the event\ncame always or never"]


def test_value_refuses(rain):
    worth = economic_value(*rain, threshold=0.5)
    given = worth.to_dataset(name="economic_value")
    with pytest.raises(ValueError, match="lacks economic_value; make it with verif"):
        plot.value(given.rename(economic_value="worth"))
    with pytest.raises(ValueError, match="no coordinate cost_loss; make it"):
        plot.value(given.drop_vars("cost_loss"))
    with pytest.raises(ValueError, match="cost_loss is needed"):
        plot.value(given.isel(cost_loss=0))
    with pytest.raises(ValueError, match="base_rate is given by lead and economic"):
        plot.value(given.isel(lead=0, drop=True).assign(base_rate=given.lead * 0))


# --- rank histograms


def bars(ax):
    return np.array([bar.get_height() for bar in ax.containers[0]])


def test_ranks_of_all_leads_are_added_and_relative_to_flat(rain):
    counts = rank_histogram(*rain)
    figure = plot.ranks(counts)
    (ax,) = figure.axes
    total = counts.sum("lead")
    assert total.sum() == 1200
    np.testing.assert_allclose(bars(ax), total.values / (1200 / 11))
    assert ax.get_title(loc="left") == "leads 10 to 30 min together"
    (ax,) = plot.ranks(counts, lead="20 min").axes
    np.testing.assert_allclose(bars(ax), counts[1].values / (400 / 11))
    assert ax.get_title(loc="left") == "+20 min"
    (ax,) = plot.ranks(counts.isel(lead=[1])).axes
    assert ax.get_title(loc="left") == "+20 min"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "flat",
        "90% of flat ones, if pairs were independent",
    ]


@pytest.mark.parametrize(("pairs", "ranks"), [(10, 3), (400, 11), (5_000_000_000, 51)])
def test_the_band_holds_what_chance_makes_of_a_flat_histogram(pairs, ranks):
    np.testing.assert_array_equal(
        band(pairs, ranks), binom.ppf([0.05, 0.95], pairs, 1 / ranks)
    )


def test_the_band_is_drawn_around_flat(rain):
    counts = rank_histogram(*rain, over=("lead", "x"))
    (ax,) = plot.ranks(counts).axes
    low, high = binom.ppf([0.05, 0.95], 1200, 1 / 11) / (1200 / 11)
    (drawn,) = [patch for patch in ax.patches if patch not in ax.containers[0]]
    assert drawn.get_y() == pytest.approx(low)
    assert drawn.get_y() + drawn.get_height() == pytest.approx(high)


def test_ensembles_of_other_sizes_have_their_own_ranks(rain):
    forecast, observed = rain
    parts = {
        "ten": rank_histogram(forecast, observed),
        "three": rank_histogram(forecast[..., :3], observed),
        "single": 0 * rank_histogram(forecast, observed),
    }
    figure = plot.ranks(joined(parts))
    heads = [ax.get_title(loc="left") for ax in figure.axes]
    assert heads == [
        f"{name}, leads 10 to 30 min together" for name in ("ten", "three")
    ]
    assert [len(bars(ax)) for ax in figure.axes] == [11, 4]
    np.testing.assert_allclose([bars(ax).mean() for ax in figure.axes], 1.0)
    colors = [ax.containers[0][0].get_facecolor() for ax in figure.axes]
    assert colors[0] != colors[1]


def test_shares_have_no_band_and_do_not_add(rain):
    counts = rank_histogram(*rain)
    shares = counts / counts.sum("rank")
    figure = plot.ranks(shares, lead="20 min")
    np.testing.assert_allclose(bars(figure.axes[0]), 11 * shares[1])
    assert len(figure.axes[0].patches) == 11
    assert not figure.legends
    with pytest.raises(ValueError, match="shares of several leads, which do not add"):
        plot.ranks(shares)


def test_ranks_of_nothing_and_of_other_datasets(rain):
    counts = rank_histogram(*rain)
    for nothing in (counts * 0, counts * np.nan):
        assert words(plot.ranks(nothing).axes[0]) == ["no pairs counted"]
    with pytest.raises(ValueError, match="lacks rank_histogram; make it with verifica"):
        plot.ranks(counts.to_dataset(name="counts"))
    with pytest.raises(ValueError, match="rank is needed"):
        plot.ranks(counts.isel(rank=0))
    with pytest.raises(ValueError, match=r"isel\(case=0\)"):
        plot.ranks(counts.expand_dims("case"))


def test_verify_gives_what_ranks_draws(rain):
    forecast, observed = rain
    scores = verify(
        {"ten": forecast.expand_dims("y"), "one": forecast[..., 0].expand_dims("y")},
        observed.expand_dims("y"),
        variable="mine",
        thresholds=[0.5],
        scales=[1],
    )
    figure = plot.ranks(scores)
    (ax,) = figure.axes
    found = rank_histogram(forecast, observed, threshold=0.5, over=("lead", "x"))
    np.testing.assert_allclose(bars(ax) * found.values.mean(), found)


# --- all


@pytest.mark.parametrize(
    ("draw", "score"),
    [
        (plot.roc, lambda f, o: roc(f, o, threshold=0.5)),
        (plot.value, lambda f, o: economic_value(f, o, threshold=0.5)),
        (plot.ranks, rank_histogram),
    ],
)
def test_pictures_have_titles_are_saved_and_can_be_pickled(draw, score, rain, tmp_path):
    figure = draw(score(*rain), title="many words " * 20, path=tmp_path / "one.png")
    assert "\n" in figure.get_suptitle()
    assert (tmp_path / "one.png").read_bytes()[1:4] == b"PNG"
    again = pickle.loads(pickle.dumps(figure))
    assert again._repr_png_().startswith(b"\x89PNG")
    pytest.importorskip("dask")
    draw(score(*(array.chunk() for array in rain)))


def test_legends_name_no_line_that_is_not_drawn(rain):
    over = ("lead", "x")
    found = roc(*rain, threshold=0.5, over=over)
    none = found.where(False)
    both = joined({"there": found, "gone": none})
    (ax,) = plot.roc(both).axes
    assert [name.partition(",")[0] for name in named(ax)] == ["no skill", "there"]
    worth = economic_value(*rain, threshold=[0.5, 1e3], over=over)
    given = xr.concat([worth, worth.where(False)], "forecast").to_dataset(
        name="economic_value"
    )
    given = given.assign_coords(forecast=["there", "gone"]).assign(base_rate=0.0)
    figure = plot.value(given.isel(threshold=[1, 0]))
    lines = [line for ax in figure.axes for line in ax.lines]
    shown = [line.get_label() for line in lines if line.get_label()[0] != "_"]
    assert shown == ["there"]  # and no rate of 0


def test_names_too_long_for_their_panel_stand_under_it(rain):
    found = roc(*rain, threshold=0.5, over=("lead", "x"))
    (ax,) = plot.roc(joined({"a": found, "b": found})).axes
    assert ax.get_legend() is not None
    figure = plot.roc(joined({"rain of the window, or so it was called": found}))
    assert figure.axes[0].get_legend() is None
    assert len(figure.legends) == 1
