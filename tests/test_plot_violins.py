import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from stormfusion import plot
from stormfusion.plot.violins import density
from stormfusion.verification import error_distribution

LEADS = np.array([10, 20, 30], dtype="timedelta64[m]").astype("timedelta64[ns]")


@pytest.fixture
def errors():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((2, 3, 500)) * np.array([1, 2, 3])[:, None] + 1
    values[:, 0, 400:] = np.nan
    return xr.Dataset(
        {
            "error": (
                ("forecast", "lead", "sample"),
                values,
                {"long_name": "forecast - observed", "units": "kg m-2"},
            )
        },
        coords={"forecast": ["unet", "persistence"], "lead": LEADS},
    )


def bodies(ax):
    """Left, right, bottom and top of each violin."""
    boxes = [c.get_paths()[0].get_extents() for c in ax.collections]
    return np.array([[box.x0, box.x1, box.y0, box.y1] for box in boxes])


def marks(ax):
    """The medians, and the ends of the bars."""
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    bars = [line for line in ax.lines if line.get_color() == "#1f2933"]
    bars = [bar for bar in bars if bar.get_marker() != "o"]
    return (
        np.array([dot.get_xydata()[0] for dot in dots]),
        np.array([bar.get_ydata() for bar in bars]),
    )


def test_a_violin_for_each_lead_and_forecast(errors):
    figure = plot.violins(errors)
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    boxes = bodies(ax)
    assert boxes.shape == (6, 4)
    # beside each other, as wide as each other, and about their lead
    order = np.argsort(boxes[:, 0])
    assert (boxes[order][1:, 0] > boxes[order][:-1, 1]).all()
    np.testing.assert_allclose(np.ptp(boxes[:, :2], axis=1), np.ptp(boxes[0, :2]))
    np.testing.assert_allclose(boxes[:3, :2].mean(1) + boxes[3:, :2].mean(1), [0, 2, 4])
    medians, quartiles = marks(ax)
    flat = errors.error.values.reshape(6, -1)
    np.testing.assert_allclose(medians[:, 1], np.nanmedian(flat, axis=1))
    found = np.nanquantile(flat, [0.25, 0.75], axis=1).T
    np.testing.assert_allclose(quartiles, found)
    ends = np.nanquantile(flat, [0.01, 0.99], axis=1).T
    np.testing.assert_allclose(boxes[:, 2:], ends)


def test_words_units_and_legend(errors):
    figure = plot.violins(errors)
    (ax,) = figure.axes
    assert ax.get_ylabel() == "forecast - observed [kg m⁻²]"
    assert ax.get_xlabel() == "lead time [min]"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["10", "20", "30"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["unet", "persistence"]
    assert ax.get_title(loc="right").endswith("1 % beyond each end")
    assert figure.get_suptitle() == ""
    assert plot.violins(errors, title="Errors").get_suptitle() == "Errors"
    grey = to_rgba("#7b8794", 0.45)
    np.testing.assert_allclose(ax.collections[-1].get_facecolor()[0], grey)


def test_one_forecast_needs_no_legend(errors):
    figure = plot.violins(errors.isel(forecast=0))
    assert figure.legends == []
    boxes = bodies(figure.axes[0])
    np.testing.assert_allclose(boxes[:, :2].mean(1), [0, 1, 2])
    alone = plot.violins(errors.isel(forecast=0, lead=0))
    assert bodies(alone.axes[0]).shape == (1, 4)
    assert alone.axes[0].get_xlabel() == ""


def test_other_groups_than_leads(errors):
    names = ["growth", "peak", "decay"]
    stages = errors.rename(lead="stage").assign_coords(stage=names)
    ax = plot.violins(stages).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == names
    assert ax.get_xlabel() == "stage"
    bare = plot.violins(errors.drop_vars("lead")).axes[0]
    assert [text.get_text() for text in bare.get_xticklabels()] == ["1", "2", "3"]
    nameless = plot.violins(stages.drop_vars("stage")).axes[0]
    assert nameless.get_xlabel() == ""


def test_missing_errors_leave_a_gap(errors):
    errors["error"][0, 1] = np.nan
    assert len(bodies(plot.violins(errors).axes[0])) == 5
    before = bodies(plot.violins(errors).axes[0])
    infinite = errors.copy(deep=True)
    infinite["error"][:, 0, -100:] = np.inf  # that were missing
    np.testing.assert_array_equal(bodies(plot.violins(infinite).axes[0]), before)
    figure = plot.violins(errors * np.nan)
    assert [text.get_text() for text in figure.axes[0].texts] == ["no errors to draw"]


def test_equal_errors_are_a_line(errors):
    box = bodies(plot.violins(errors * 0).axes[0])
    np.testing.assert_array_equal(box[:, 2:], 0)


def test_many_leads_thin_their_labels(errors):
    leads = np.arange(1, 49) * np.timedelta64(5, "m").astype("timedelta64[ns]")
    many = errors.isel(lead=np.zeros(48, int)).assign_coords(lead=leads)
    figure = plot.violins(many)
    assert figure.get_figwidth() <= 11
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert len(labels) == 24
    assert labels[-1] == "240"


def test_tails_are_cut_as_told(errors):
    whole = plot.violins(errors, tails=0).axes[0]
    flat = errors.error.values.reshape(6, -1)
    np.testing.assert_allclose(bodies(whole)[:, 3], np.nanmax(flat, axis=1))
    assert whole.get_title(loc="right") == "dot: median, bar: quartiles"
    for tails in (-0.1, 0.25, np.nan):
        with pytest.raises(ValueError, match=r"share below 0\.25"):
            plot.violins(errors, tails=tails)


def test_other_things_are_refused(errors):
    with pytest.raises(TypeError, match="error_distribution"):
        plot.violins(errors.error)
    with pytest.raises(ValueError, match="and no 'error'"):
        plot.violins(errors.rename(error="mse"))
    with pytest.raises(ValueError, match=r"dims \(forecast, lead, y\)"):
        plot.violins(errors.rename(sample="y"))
    with pytest.raises(ValueError, match="one other, such as lead"):
        plot.violins(errors.expand_dims(stage=2))


def test_what_a_distribution_leaves_out_is_told(tmp_path):
    observed = xr.DataArray(
        np.random.default_rng(0).gamma(0.3, 5, (3, 8, 8)),
        dims=("lead", "y", "x"),
        coords={"lead": LEADS},
        attrs={"units": "kg m-2"},
    )
    each = [
        error_distribution(f, observed, threshold=3.5, samples=50)
        for f in (observed * 0.5, observed + 1)
    ]
    both = xr.concat(each, "forecast").assign_coords(forecast=["a", "b"])
    figure = plot.violins(both, path=tmp_path / "errors.png")
    assert figure.get_suptitle() == "errors where forecast or observed ≥ 3.5 kg m⁻²"
    assert (tmp_path / "errors.png").stat().st_size > 5000


def test_a_density_is_that_of_scipy():
    from scipy.stats import gaussian_kde

    values = np.random.default_rng(0).gamma(2, 1, 2000)
    at, dense = density(values, 0.0, 8.0)
    middle = np.subtract(*np.percentile(values, [75, 25])) / 1.349
    width = 0.9 * min(values.std(), middle) * 2000**-0.2
    kernel = gaussian_kde(values, width / values.std(ddof=1))(at)
    np.testing.assert_allclose(dense, kernel / kernel.max(), atol=0.01)


def test_a_density_of_mostly_one_value_is_narrow():
    values = np.zeros(2000)
    values[:30] = 1e-6
    values[30] = 1e9  # far beyond, it does not widen what is drawn
    at, dense = density(values, 0.0, 1e-6)
    assert at.shape == dense.shape
    assert dense[0] == 1
    assert dense[-1] < 0.1


def test_a_density_whose_quartiles_are_one_value_is_smooth():
    values = np.concatenate([np.zeros(800), np.linspace(-4, 4, 201)])
    _, dense = density(values, -4.0, 4.0)
    width = 0.9 * values.std() * values.size**-0.2
    at = np.linspace(-4, 4, dense.size)
    kernel = np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(1)
    np.testing.assert_allclose(dense, kernel / kernel.max(), atol=0.01)
