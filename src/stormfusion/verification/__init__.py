"""Scores of forecasts: labelled, pooled, and right about ties and missing data."""

from stormfusion.verification.categorical import (
    bias,
    csi,
    ets,
    far,
    hss,
    pod,
    pofd,
    pss,
    sedi,
    success_ratio,
)
from stormfusion.verification.continuous import (
    correlation,
    error_scores,
    error_sums,
    mae,
    mean_error,
    mse,
    rmse,
)
from stormfusion.verification.counts import (
    CATEGORICAL,
    categorical_scores,
    contingency,
)
from stormfusion.verification.diagrams import (
    economic_value,
    reliability,
    reliability_scores,
    roc,
    roc_scores,
    value_score,
)
from stormfusion.verification.dispersion import (
    rank_histogram,
    rank_score,
    rank_sums,
    spread_scores,
    spread_skill,
    spread_sums,
)
from stormfusion.verification.pairs import merge
from stormfusion.verification.perceptual import (
    distance_score,
    distance_sums,
    lpips,
    perceptual_distance,
)
from stormfusion.verification.probabilistic import crps, crps_score, crps_sums
from stormfusion.verification.probability import (
    brier,
    brier_skill,
    log_score,
    probability_scores,
    probability_sums,
)
from stormfusion.verification.report import THRESHOLDS, Tally
from stormfusion.verification.spatial import (
    fss,
    fss_score,
    fss_sums,
    skillful_scale,
    useful_fss,
)
from stormfusion.verification.spectrum import (
    WAVELENGTHS,
    band_score,
    power_sums,
    spectrum_ratio,
    spectrum_score,
)

__all__ = [
    "CATEGORICAL",
    "THRESHOLDS",
    "WAVELENGTHS",
    "Tally",
    "band_score",
    "bias",
    "brier",
    "brier_skill",
    "categorical_scores",
    "contingency",
    "correlation",
    "crps",
    "crps_score",
    "crps_sums",
    "csi",
    "distance_score",
    "distance_sums",
    "economic_value",
    "error_scores",
    "error_sums",
    "ets",
    "far",
    "fss",
    "fss_score",
    "fss_sums",
    "hss",
    "log_score",
    "lpips",
    "mae",
    "mean_error",
    "merge",
    "mse",
    "perceptual_distance",
    "pod",
    "pofd",
    "power_sums",
    "probability_scores",
    "probability_sums",
    "pss",
    "rank_histogram",
    "rank_score",
    "rank_sums",
    "reliability",
    "reliability_scores",
    "rmse",
    "roc",
    "roc_scores",
    "sedi",
    "skillful_scale",
    "spectrum_ratio",
    "spectrum_score",
    "spread_scores",
    "spread_skill",
    "spread_sums",
    "success_ratio",
    "useful_fss",
    "value_score",
]
