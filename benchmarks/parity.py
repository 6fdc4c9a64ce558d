"""
Our scores beside those of other libraries, and why they differ where they do.

Writes docs/parity.md. Every line of the table is run: what is printed is what came out.
Libraries that are not installed are left out, with a note.
"""

import argparse
import contextlib
import importlib
import io
import warnings
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import xarray as xr

from stormfusion import verification

SETUP = """\
import numpy as np
import xarray as xr
from stormfusion import verification as v

rng = np.random.default_rng(0)
rain = lambda *shape: np.maximum(rng.gamma(0.5, 4.0, shape).round() - 2, 0)  # many ties
F, O = rain(10, 64, 64), rain(64, 64)
f, o = xr.DataArray(F, dims=("member", "y", "x")), xr.DataArray(O, dims=("y", "x"))
one, ONE = f[0], F[0]
"""


@dataclass(frozen=True)
class Row:
    """One comparison: what to import, both calls, and why they differ, if they do."""

    score: str
    peer: str
    imports: str
    theirs: str
    ours: str
    why: str = ""


SCORES = "from scores import categorical, continuous, probability, spatial"
EVENTS = "categorical.ThresholdEventOperator(default_event_threshold=3.0)"
TABLE = f"{EVENTS}.make_contingency_manager(one, o).transform()"
ROWS = (
    Row(
        "CRPS of members",
        "properscoring",
        "import properscoring",
        "properscoring.crps_ensemble(O, F, axis=0).mean()",
        "v.crps(f, o, fair=False)",
    ),
    Row(
        "CRPS of members",
        "scores",
        SCORES,
        "probability.crps_for_ensemble(f, o, 'member', method='ecdf')",
        "v.crps(f, o, fair=False)",
    ),
    Row(
        "fair CRPS",
        "scores",
        SCORES,
        "probability.crps_for_ensemble(f, o, 'member', method='fair')",
        "v.crps(f, o)",
    ),
    Row(
        "fair CRPS",
        "scoringrules",
        "import scoringrules",
        "scoringrules.crps_ensemble(O, F, m_axis=0, estimator='fair').mean()",
        "v.crps(f, o)",
    ),
    Row(
        "CRPS of members",
        "pysteps",
        "from pysteps.verification.probscores import CRPS",
        "CRPS(F, O)",
        "v.crps(f, o, fair=False)",
        "Theirs leaves out the interval beside a member that equals the observation: "
        "it is too low wherever both are dry. Of the members 0, 0 and 1 and the "
        "observation 0 it gives 0, and the integral is 1/9.",
    ),
    Row(
        "CRPS of members",
        "xskillscore",
        "import xskillscore",
        "xskillscore.crps_ensemble(o, f)",
        "v.crps(f, o, fair=False)",
    ),
    Row(
        "threshold-weighted CRPS",
        "scores",
        SCORES,
        "probability.tail_tw_crps_for_ensemble(f, o, 'member', 3.0, method='ecdf')",
        "v.twcrps(f, o, threshold=3, fair=False)",
    ),
    Row(
        "threshold-weighted CRPS, fair",
        "scoringrules",
        "import scoringrules",
        "scoringrules.twcrps_ensemble(O, F, a=3.0, m_axis=0, estimator='fair').mean()",
        "v.twcrps(f, o, threshold=3)",
    ),
    Row(
        "threshold-weighted CRPS, lower tail",
        "scores",
        SCORES,
        "probability.tail_tw_crps_for_ensemble(f, o, 'member', 3.0, tail='lower', "
        "method='fair')",
        "v.twcrps(f, o, threshold=3, tail='lower')",
    ),
    Row(
        "threshold-weighted CRPS",
        "scoringrules",
        "import scoringrules",
        "np.nanmean(scoringrules.owcrps_ensemble(O, F, a=3.0, m_axis=0))",
        "v.twcrps(f, o, threshold=3, fair=False)",
        "Theirs is outcome-weighted: where the observation does not exceed the "
        "threshold it is 0, whatever was forecast, so that false alarms are free. "
        "Where it does, only the members that exceed it too are scored, and with none "
        "of these it is NaN.",
    ),
    Row(
        "CSI",
        "scores",
        SCORES,
        f"{TABLE}.critical_success_index()",
        "v.csi(one, o, threshold=3)",
    ),
    Row(
        "Heidke skill score",
        "scores",
        SCORES,
        f"{TABLE}.heidke_skill_score()",
        "v.hss(one, o, threshold=3)",
    ),
    Row(
        "SEDI",
        "scores",
        SCORES,
        f"{TABLE}.symmetric_extremal_dependence_index()",
        "v.sedi(one, o, threshold=3)",
    ),
    Row(
        "CSI",
        "pysteps",
        "from pysteps.verification.detcatscores import det_cat_fct",
        "det_cat_fct(ONE, O, 3.0, 'CSI')['CSI']",
        "v.csi(one, o, threshold=3)",
        "An event is `value > threshold` there and `value >= threshold` here: on whole "
        "numbers these are other events.",
    ),
    Row(
        "CSI, between whole numbers",
        "pysteps",
        "from pysteps.verification.detcatscores import det_cat_fct",
        "det_cat_fct(ONE, O, 2.5, 'CSI')['CSI']",
        "v.csi(one, o, threshold=2.5)",
    ),
    Row(
        "CSI, a gap in the observations",
        "pysteps",
        "from pysteps.verification.detcatscores import det_cat_fct\n"
        "gap = np.where(np.arange(64) < 20, np.nan, O)",
        "det_cat_fct(ONE, gap, 2.5, 'CSI')['CSI']",
        "v.csi(one, o.copy(data=gap), threshold=2.5)",
        "NaN > 2.5 is false, so theirs counts missing observations as no event and the "
        "forecast there as a false alarm. A missing pair is not counted here.",
    ),
    Row(
        "FSS, one pixel",
        "scores",
        SCORES,
        "spatial.fss_2d(one, o, event_threshold=3.0, window_size=(1, 1), "
        "spatial_dims=('y', 'x'), threshold_operator=np.greater_equal)",
        "v.fss(one, o, threshold=3, scale=1)",
    ),
    Row(
        "FSS, 9 pixels",
        "scores",
        SCORES,
        "spatial.fss_2d(one, o, event_threshold=3.0, window_size=(9, 9), "
        "spatial_dims=('y', 'x'), threshold_operator=np.greater_equal)",
        "v.fss(one, o, threshold=3, scale=9)",
        "Theirs takes windows within the domain only; here a window is cut at the "
        "edge, and the fraction is that of its pixels in the domain.",
    ),
    Row(
        "FSS, 9 pixels",
        "pysteps",
        "from pysteps.verification.spatialscores import fss",
        "fss(ONE, O, 3.0, 9)",
        "v.fss(one, o, threshold=3, scale=9)",
        "Theirs counts pixels beyond the edge as dry, which draws fractions to 0.",
    ),
    Row(
        "Brier score",
        "scores",
        SCORES,
        "probability.brier_score_for_ensemble(f, o, 'member', 3.0, "
        "fair_correction=False).squeeze()",
        "v.brier(f, o, threshold=3)",
    ),
    Row(
        "area under the ROC curve",
        "scores",
        SCORES + "\np, e = (f >= 3).mean('member'), (o >= 3).astype(float)",
        "probability.roc_curve_data(p, e, np.arange(11) / 10).AUC",
        "v.roc(f, o, threshold=3).roc_area",
    ),
    Row(
        "SSIM",
        "skimage",
        "from skimage.metrics import structural_similarity",
        "structural_similarity(ONE, O, data_range=50.0, gaussian_weights=True, "
        "sigma=1.5, use_sample_covariance=False, full=True)[1][5:-5, 5:-5].mean()",
        "v.ssim(one, o, data_range=50.0)",
    ),
    Row(
        "SSIM",
        "skimage",
        "from skimage.metrics import structural_similarity",
        "structural_similarity(ONE, O, data_range=50.0)",
        "v.ssim(one, o, data_range=50.0)",
        "Its default is another score: windows of 7 x 7 pixels of equal weight, and "
        "the covariance of a sample. Ours is that of Wang et al. (2004).",
    ),
    Row(
        "energy score",
        "scoringrules",
        "import scoringrules",
        "scoringrules.es_ensemble(O.ravel(), F.reshape(10, -1), m_axis=0, v_axis=-1, "
        "estimator='fair') / 64",
        "v.energy_score(f, o)",
    ),
    Row(
        "RMSE",
        "scores",
        SCORES,
        "continuous.rmse(one, o)",
        "v.rmse(one, o)",
    ),
    Row(
        "Pearson correlation",
        "xskillscore",
        "import xskillscore",
        "xskillscore.pearson_r(one, o)",
        "v.correlation(one, o)",
    ),
)


def compared(row: Row) -> tuple[float, float]:
    """Theirs and ours."""
    known: dict[str, object] = {"np": np, "xr": xr, "v": verification}
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(SETUP + row.imports, known)
        theirs, ours = (eval(code, known) for code in (row.theirs, row.ours))
    return float(np.asarray(theirs)), float(np.asarray(ours))


def page() -> str:
    """The page of the docs."""
    lines = [
        "# Parity",
        "",
        "Our scores beside those of other libraries, on one field of 64 x 64 pixels "
        "with many ties and ten members. The table is made by `python "
        "benchmarks/parity.py`.",
        "",
        "```python",
        SETUP.rstrip(),
        "```",
        "",
        "| score | library | theirs | ours | |",
        "|---|---|---|---|---|",
    ]
    notes, absent, versions = [], set(), {}
    for row in ROWS:
        name = {"skimage": "scikit-image"}.get(row.peer, row.peer)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(row.peer)
        except ImportError:
            absent.add(name)
            continue
        versions[name] = metadata.version(name)
        theirs, ours = compared(row)
        same = np.isclose(theirs, ours, rtol=1e-6, atol=1e-12)
        if same == bool(row.why):
            raise SystemExit(
                f"{row.score} of {row.peer} is {theirs}, ours {ours}: "
                f"{'explained, but equal' if same else 'not explained'}"
            )
        if row.why:
            notes.append(row)
        mark = "equal" if same else f"[{len(notes)}](#{len(notes)})"
        lines.append(f"| {row.score} | {name} | {theirs:.6g} | {ours:.6g} | {mark} |")
    told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    lines += ["", f"With {told}."]
    if absent:
        lines.append(f"Not installed: {', '.join(sorted(absent))}.")
    lines += ["", "## Where they differ", ""]
    for number, row in enumerate(notes, start=1):
        lines += [
            f"### {number}",
            "",
            f"{row.score}, {row.peer}. {row.why}",
            "",
            f"<!-- no-run: needs {row.peer} -->",
            "```python",
            *row.imports.split("\n"),
            f"{row.theirs}  # theirs",
            f"{row.ours}  # ours",
            "```",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/parity.md"))
    settings = parser.parse_args()
    settings.out.write_text(page())


if __name__ == "__main__":
    main()
