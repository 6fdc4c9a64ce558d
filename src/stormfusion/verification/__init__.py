"""Scores of forecasts: labelled, pooled, and right about ties and missing data."""

from stormfusion.verification.balanced import (
    RAIN_WEIGHTS,
    balanced_scores,
    balanced_sums,
    bmae,
    bmse,
)
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
from stormfusion.verification.distributions import (
    error_distribution,
    error_quantiles,
    merge_distributions,
)
from stormfusion.verification.edges import gdl, gdl_score, gdl_sums
from stormfusion.verification.goals import GOALS, Goal, skill, skill_scores
from stormfusion.verification.granularity import (
    granularity,
    granularity_score,
    granularity_sums,
)
from stormfusion.verification.multivariate import (
    energy_mean,
    energy_score,
    energy_sums,
)
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
from stormfusion.verification.protocols import (
    PROTOCOLS,
    Protocol,
    protocol_scores,
    protocol_sums,
)
from stormfusion.verification.quantiles import (
    pinball_score,
    pinball_sums,
    quantile_score,
)
from stormfusion.verification.report import verify
from stormfusion.verification.resampling import bootstrap
from stormfusion.verification.sal import sal, sal_scores, sal_sums
from stormfusion.verification.spatial import (
    fss,
    fss_score,
    fss_sums,
    skillful_scale,
    useful_fss,
)
from stormfusion.verification.spectrum import (
    band_score,
    effective_resolution,
    power_sums,
    resolution_score,
    spectrum_ratio,
    spectrum_score,
)
from stormfusion.verification.states import merge
from stormfusion.verification.structure import (
    psnr,
    psnr_score,
    ssim,
    ssim_score,
    ssim_sums,
)
from stormfusion.verification.tally import THRESHOLDS, Tally
from stormfusion.verification.variogram import (
    variogram_mean,
    variogram_score,
    variogram_sums,
)
from stormfusion.verification.waves import WAVELENGTHS
from stormfusion.verification.weighted import twcrps, twcrps_score, twcrps_sums

__all__ = [
    "CATEGORICAL",
    "GOALS",
    "PROTOCOLS",
    "RAIN_WEIGHTS",
    "THRESHOLDS",
    "WAVELENGTHS",
    "Goal",
    "Protocol",
    "Tally",
    "balanced_scores",
    "balanced_sums",
    "band_score",
    "bias",
    "bmae",
    "bmse",
    "bootstrap",
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
    "effective_resolution",
    "energy_mean",
    "energy_score",
    "energy_sums",
    "error_distribution",
    "error_quantiles",
    "error_scores",
    "error_sums",
    "ets",
    "far",
    "fss",
    "fss_score",
    "fss_sums",
    "gdl",
    "gdl_score",
    "gdl_sums",
    "granularity",
    "granularity_score",
    "granularity_sums",
    "hss",
    "log_score",
    "lpips",
    "mae",
    "mean_error",
    "merge",
    "merge_distributions",
    "mse",
    "perceptual_distance",
    "pinball_score",
    "pinball_sums",
    "pod",
    "pofd",
    "power_sums",
    "probability_scores",
    "probability_sums",
    "protocol_scores",
    "protocol_sums",
    "psnr",
    "psnr_score",
    "pss",
    "quantile_score",
    "rank_histogram",
    "rank_score",
    "rank_sums",
    "reliability",
    "reliability_scores",
    "resolution_score",
    "rmse",
    "roc",
    "roc_scores",
    "sal",
    "sal_scores",
    "sal_sums",
    "sedi",
    "skill",
    "skill_scores",
    "skillful_scale",
    "spectrum_ratio",
    "spectrum_score",
    "spread_scores",
    "spread_skill",
    "spread_sums",
    "ssim",
    "ssim_score",
    "ssim_sums",
    "success_ratio",
    "twcrps",
    "twcrps_score",
    "twcrps_sums",
    "useful_fss",
    "value_score",
    "variogram_mean",
    "variogram_score",
    "variogram_sums",
    "verify",
]
