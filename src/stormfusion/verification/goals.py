"""Which way is better: goals of scores, and skill against any baseline."""

from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from stormfusion.verification.pairs import described


class Goal(NamedTuple):
    """
    What a score is for a perfect forecast, and which way is better.

    `"nearer"` is for scores that err to both sides of the perfect value, and `"ratio"`
    for those of which half as much is as bad as twice as much.
    """

    perfect: float
    better: Literal["higher", "lower", "nearer", "ratio"]

    def cost(self, score: xr.DataArray) -> xr.DataArray:
        """
        How bad a score is: the lower, the better.

        Examples
        --------
        >>> Goal(1.0, "nearer").cost(xr.DataArray([0.5, 1.0, 2.0])).values
        array([0.5, 0. , 1. ])
        """
        if self.better == "lower":
            return score
        if self.better == "higher":
            return -score
        if self.better == "nearer":
            return abs(score - self.perfect)
        share = (score / self.perfect).where(lambda share: share >= 0)
        with np.errstate(divide="ignore"):
            log: xr.DataArray = xr.apply_ufunc(np.log, share, dask="allowed")
        return abs(log)


GOALS: dict[str, Goal] = {
    # events
    "csi": Goal(1.0, "higher"),
    "csi_pool4": Goal(1.0, "higher"),
    "csi_pool16": Goal(1.0, "higher"),
    "pod": Goal(1.0, "higher"),
    "far": Goal(0.0, "lower"),
    "pofd": Goal(0.0, "lower"),
    "success_ratio": Goal(1.0, "higher"),
    "bias": Goal(1.0, "ratio"),
    "hss": Goal(1.0, "higher"),
    "ets": Goal(1.0, "higher"),
    "pss": Goal(1.0, "higher"),
    "sedi": Goal(1.0, "higher"),
    # errors
    "mse": Goal(0.0, "lower"),
    "rmse": Goal(0.0, "lower"),
    "mae": Goal(0.0, "lower"),
    "mean_error": Goal(0.0, "nearer"),
    "correlation": Goal(1.0, "higher"),
    "bmse": Goal(0.0, "lower"),
    "bmae": Goal(0.0, "lower"),
    "ssim": Goal(1.0, "higher"),
    "gdl": Goal(0.0, "lower"),
    # ensembles and probabilities
    "crps": Goal(0.0, "lower"),
    "twcrps": Goal(0.0, "lower"),
    "quantile_score": Goal(0.0, "lower"),
    "energy_score": Goal(0.0, "lower"),
    "variogram_score": Goal(0.0, "lower"),
    "brier": Goal(0.0, "lower"),
    "brier_skill": Goal(1.0, "higher"),
    "log_score": Goal(0.0, "lower"),
    "roc_area": Goal(1.0, "higher"),
    "spread_skill": Goal(1.0, "ratio"),
    # neighbourhoods and detail
    "fss": Goal(1.0, "higher"),
    "perceptual": Goal(0.0, "lower"),
    "lpips": Goal(0.0, "lower"),
    "spectrum": Goal(1.0, "ratio"),
    "spectrum_ratio": Goal(1.0, "ratio"),
}
"""What each score of the library aims at, by name; add your own."""


def skill(
    score: xr.DataArray, baseline: xr.DataArray | float, *, perfect: float = 0.0
) -> xr.DataArray:
    r"""
    How much of the way from a baseline to a perfect score a forecast has gone.

    $$\frac{s - s_b}{s_p - s_b}$$

    for a score $s$ that is $s_b$ for the baseline and $s_p$ for a perfect forecast.
    With the Brier score and that of climatology it is the Brier skill score.

    Parameters
    ----------
    score
        A score that lies on one side of `perfect`; for the frequency bias and others
        that err to both sides see `skill_scores`. Pool cases before, not after: a mean
        of skills is another thing.
    baseline
        The same score of another forecast, on the same coordinates, or a number.
    perfect
        The score of a perfect forecast: 0 for errors, 1 for most others.

    Returns
    -------
    DataArray
        1 for a perfect forecast, 0 for one like the baseline, negative for a worse one;
        NaN where a score is, where the baseline is perfect, and where one is infinite
        [1].

    References
    ----------
    Murphy, A. H., 1988: Skill scores based on the mean square error and their
    relationships to the correlation coefficient. *Mon. Wea. Rev.*, **116**, 2417-2424,
    <https://doi.org/10.1175/1520-0493(1988)116%3C2417:SSBOTM%3E2.0.CO;2>.

    Examples
    --------
    >>> error = xr.DataArray([1.0, 4.0], dims="lead", attrs={"units": "mm"})
    >>> skill(error, error + 1.0).values
    array([0.5, 0.2])
    >>> skill(xr.DataArray(0.5), 0.2, perfect=1.0).round(3).item()
    0.375
    """
    if not isinstance(score, xr.DataArray):
        raise TypeError(
            f"score is a {type(score).__name__}, not a DataArray; pass one score, such "
            "as dataset['mse'], or a Dataset to skill_scores"
        )
    if not np.isfinite(perfect):
        raise ValueError(
            f"perfect is {perfect!r}; skill needs a finite perfect score, such as 0 "
            "for errors or 1 for the CSI"
        )
    if isinstance(baseline, xr.DataArray):
        _check_alike(score, baseline)
    return _skill(score, baseline, goal=Goal(float(perfect), "lower"))


def skill_scores(scores: xr.Dataset, *, against: str) -> xr.Dataset:
    """
    Skill of every forecast against one of them, by every score with a known goal.

    A score that errs to both sides, such as the frequency bias, is told by its distance
    from perfect: of ratios, on a logarithmic scale.

    Parameters
    ----------
    scores
        Scores along `forecast`, such as `Tally.dataset` or `Nowcaster.evaluate` give.
    against
        Which of the forecasts is the baseline, such as `"persistence"`.

    Returns
    -------
    Dataset
        As from `skill`, for the other forecasts: the scores named in `GOALS`, under
        their names. What has no goal there, such as counts, is left out.

    Examples
    --------
    >>> scores = xr.Dataset(
    ...     {"csi": ("forecast", [0.6, 0.2]), "mse": ("forecast", [3.0, 4.0])},
    ...     coords={"forecast": ["unet", "persistence"]},
    ... )
    >>> found = skill_scores(scores, against="persistence").sel(forecast="unet")
    >>> found.csi.round(2).item(), found.mse.item()
    (0.5, 0.25)
    """
    if not isinstance(scores, xr.Dataset):
        raise TypeError(
            f"scores is a {type(scores).__name__}, not a Dataset; pass what "
            "Tally.dataset or Nowcaster.evaluate gives, or two scores to skill"
        )
    others = opponents(scores, against)
    known = [n for n in map(str, scores) if n in GOALS and "forecast" in scores[n].dims]
    if not known:
        raise ValueError(
            f"none of the scores {list(map(str, scores))} is known in GOALS and has "
            "the dimension 'forecast'; name the goal of yours in GOALS, or use skill"
        )
    found = {}
    for name in known:
        rest = scores[name].sel(forecast=others)
        base = scores[name].sel(forecast=against, drop=True)
        found[name] = _skill(rest, base, goal=GOALS[name], against=against)
    return xr.Dataset(found, attrs=scores.attrs | {"against": against})


def opponents(data: Any, against: str) -> list[str]:
    """
    The forecasts other than the one they are compared with.

    Examples
    --------
    >>> scores = xr.Dataset(coords={"forecast": ["unet", "persistence"]})
    >>> opponents(scores, "persistence")
    ['unet']
    """
    if "forecast" not in data.dims or "forecast" not in data.coords:
        raise ValueError(
            f"there is no coordinate 'forecast' to find {against!r} in; join several "
            "with xr.concat([one, other], 'forecast').assign_coords(forecast=names)"
        )
    names = data["forecast"].values.tolist()
    if names.count(against) != 1:
        raise ValueError(
            f"against is {against!r}, which is not one of the forecasts {names}; "
            "choose one of them"
        )
    if len(names) < 2:
        raise ValueError(
            f"there is no forecast but {against!r} itself; give two or more"
        )
    return [name for name in names if name != against]


def _check_alike(score: xr.DataArray, baseline: xr.DataArray) -> None:
    ours, theirs = score.attrs.get("units"), baseline.attrs.get("units")
    if ours is not None and theirs is not None and ours != theirs:
        raise ValueError(
            f"score is in {ours!r} and baseline in {theirs!r}; score both in one unit"
        )
    try:
        xr.align(score, baseline, join="exact")
    except ValueError as error:
        raise ValueError(
            "score and baseline differ in their coordinates; choose the same leads and "
            f"thresholds of both with .sel ({error})"
        ) from error


def _skill(
    score: xr.DataArray,
    baseline: xr.DataArray | float,
    *,
    goal: Goal,
    against: str | None = None,
) -> xr.DataArray:
    perfect = goal.cost(xr.DataArray(goal.perfect))
    base = goal.cost(xr.DataArray(baseline))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (base - goal.cost(score)) / (base - perfect)
    finite = (abs(gain) < np.inf) & (abs(base) < np.inf)
    name = score.attrs.get("long_name", score.name)
    words = "skill" if name is None else f"skill by the {name}".replace("_", " ")
    words += "" if against is None else f" against {against}"
    return described(gain.where(finite), words)
