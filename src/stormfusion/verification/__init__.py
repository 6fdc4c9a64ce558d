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
from stormfusion.verification.pairs import merge
from stormfusion.verification.perceptual import (
    distance_score,
    distance_sums,
    lpips,
    perceptual_distance,
)
from stormfusion.verification.probabilistic import (
    crps,
    crps_score,
    crps_sums,
    rank_histogram,
    spread_skill,
)
from stormfusion.verification.probability import (
    brier,
    brier_sums,
    reliability,
    reliability_scores,
    reliability_sums,
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
    "brier_sums",
    "categorical_scores",
    "contingency",
    "correlation",
    "crps",
    "crps_score",
    "crps_sums",
    "csi",
    "distance_score",
    "distance_sums",
    "error_scores",
    "error_sums",
    "ets",
    "far",
    "fss",
    "fss_score",
    "fss_sums",
    "hss",
    "lpips",
    "mae",
    "mean_error",
    "merge",
    "mse",
    "perceptual_distance",
    "pod",
    "pofd",
    "power_sums",
    "pss",
    "rank_histogram",
    "reliability",
    "reliability_scores",
    "reliability_sums",
    "rmse",
    "sedi",
    "skillful_scale",
    "spectrum_ratio",
    "spectrum_score",
    "spread_skill",
    "success_ratio",
    "useful_fss",
]
