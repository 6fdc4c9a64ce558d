"""Scores of a footprint: its probabilities and percentiles against what came."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from stormfusion import verification
from stormfusion.footprint.fields import Means
from stormfusion.footprint.observing import at_leads, at_start, occurred
from stormfusion.hazards import HAIL, Hazard
from stormfusion.units import ZR_LAWS, ZRLaw

STEPS = 200
"""Of probability, in which warnings are told apart."""


def scored(
    dataset: xr.Dataset,
    observed: xr.DataArray | xr.Dataset,
    *,
    scales: Sequence[int],
    bins: int,
    law: str | ZRLaw | None,
) -> xr.Dataset:
    """The scores of a footprint's dataset; see `Footprint.verify`."""
    names = [str(n) for n in dataset["hazard"].values] if "hazard" in dataset else []
    if not names:
        raise ValueError(
            "this footprint has no hazard to verify; name one where it is made, such "
            "as footprint('vil >= 12 kg m-2')"
        )
    hazards = tuple(Hazard.parse(name) for name in names)
    variable = str(dataset.attrs.get("variable", hazards[0].variable))
    for hazard in hazards:
        if hazard.variable == HAIL and variable != "mesh":
            raise ValueError(
                f"hazard {str(hazard)!r} is of reports of hail, which "
                f"{variable} does not observe; see HailModel.reliability, or select "
                "the other hazards"
            )
    truth = at_leads(observed, dataset, variable)
    means = Means(_law(dataset, law) if variable == "reflectivity" else None)
    like = _like(truth, dataset, variable)
    came, ever = occurred(
        like, like, hazards, means, at_start(observed, dataset, variable)
    )
    scores = []
    for number, name in enumerate(names):
        chosen = dataset.sel(hazard=name)
        pairs = {
            "": ("probability", like.copy(data=came[number])),
            "window_": (
                "window_probability",
                like.isel(lead=0, drop=True).copy(data=ever[number]),
            ),
        }
        found: dict[str, xr.DataArray] = {}
        for prefix, (which, occurrence) in pairs.items():
            if which in chosen:
                parts = _of_chance(chosen[which], occurrence, scales, bins)
                found |= {f"{prefix}{key}": score for key, score in parts.items()}
        scores.append(xr.Dataset(found).drop_vars("hazard", errors="ignore"))
    joined = xr.concat(scores, dim="hazard", coords="minimal", compat="override")
    joined = joined.assign_coords(hazard=names)
    return joined.assign(_of_percentiles(dataset, like))


def _law(dataset: xr.Dataset, law: str | ZRLaw | None) -> str | ZRLaw | None:
    """The law that the forecast was made with, or the one that is named."""
    told = dataset.attrs.get("zr_law")
    if law is not None or told is None:
        return law
    if told not in ZR_LAWS:
        raise ValueError(
            f"the footprint was made with law={told}, which has no name; pass it again "
            "as law="
        )
    return str(told)


def _like(truth: xr.DataArray, dataset: xr.Dataset, variable: str) -> xr.DataArray:
    """The observation with the labels that the forecast lends it."""
    truth = truth.transpose("lead", "y", "x").rename(variable)
    # the same numbers mean the same places, whatever labels the observation lacks
    lent = {
        dim: dataset[dim]
        for dim in ("lead", "y", "x")
        if dim in dataset.coords
        and dataset.sizes.get(dim) == truth.sizes[dim]
        and (
            dim not in truth.coords
            or np.array_equal(truth[dim].to_numpy(), dataset[dim].to_numpy())
        )
    }
    if {"y", "x"} <= set(lent) and "crs" in dataset.coords:
        lent["crs"] = dataset["crs"]
        truth = truth.assign_attrs(grid_mapping="crs")
    if "lead" in truth.coords and "lead" in dataset.coords:
        truth = _same_leads(truth, dataset)
    return truth.assign_coords(lent)


def _same_leads(truth: xr.DataArray, dataset: xr.Dataset) -> xr.DataArray:
    """The observation at the leads of the forecast, which it may have more of."""
    absent = ~dataset.indexes["lead"].isin(truth.indexes["lead"])
    if absent.any():
        minutes = dataset.indexes["lead"][absent][0].total_seconds() / 60
        raise ValueError(
            f"observed has no frame at lead {minutes:g} min and the forecast has; give "
            "all of them"
        )
    return truth.sel(lead=dataset["lead"])


def _of_chance(
    chance: xr.DataArray,
    occurred: xr.DataArray,
    scales: Sequence[int],
    bins: int,
) -> dict[str, xr.DataArray]:
    """Scores of the probabilities of one hazard."""
    chance = chance.drop_vars("hazard", errors="ignore")
    found = verification.verify(
        chance, occurred, probability=True, scales=scales, bins=bins
    )
    known = chance.where(occurred.notnull().to_numpy())
    sharp = known.var(("y", "x")).assign_attrs(
        units="1", long_name="variance of the probabilities"
    )
    sums = verification.probability_sums(chance, occurred, bins=bins)
    finely = verification.probability_sums(chance, occurred, bins=STEPS)
    scores = {
        **{str(name): score for name, score in found.data_vars.items()},
        "roc_area": verification.roc_scores(finely)["roc_area"],
        "sharpness": sharp,
    }
    if "lead" in sums.dims:
        diagram = verification.reliability_scores(sums).data_vars.items()
        own = {str(name): curve for name, curve in diagram} | _warnings(sums, finely)
        scores |= {f"lead_{name}": curve for name, curve in own.items()}
        sums, finely = (s.sum("lead", keep_attrs=True) for s in (sums, finely))
    return scores | _warnings(sums, finely)


def _warnings(sums: xr.Dataset, finely: xr.Dataset) -> dict[str, xr.DataArray]:
    """What one who warns from a probability on hits, and what it is worth."""
    curve = verification.roc_scores(sums)
    value = verification.value_score(finely).drop_vars("base_rate", errors="ignore")
    return {"pod": curve["pod"], "pofd": curve["pofd"], "economic_value": value}


def _of_percentiles(
    dataset: xr.Dataset, truth: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Scores of the percentiles, where there are some, and the CRPS they tell."""
    if "quantile" not in dataset.coords or "variable" not in dataset.attrs:
        return {}
    levels = dataset["quantile"].values
    some = levels[(levels > 0) & (levels < 1)]
    found: dict[str, xr.DataArray] = {}
    if not some.size:
        return found
    largest = truth.max("lead", skipna=False).assign_attrs(truth.attrs)
    for name, came in (("percentile", truth), ("window_percentile", largest)):
        if name not in dataset:
            continue
        prefix = "window_" if name.startswith("window") else ""
        values = dataset[name].sel(quantile=some)
        score = verification.quantile_score(values, came, quantile=some)
        found[f"{prefix}quantile_score"] = score
        found[f"{prefix}crps"] = crps_of(score)
    return found


def crps_of(score: xr.DataArray) -> xr.DataArray:
    r"""
    The CRPS that quantile scores tell.

    $\mathrm{CRPS} = 2 \int_0^1 QS_\tau\, d\tau$, by trapezoids between the levels that
    there are, and 0 at the ends. Of few levels it is rough.

    Parameters
    ----------
    score
        With the dimension `quantile`.

    Examples
    --------
    >>> level = [0.25, 0.75]
    >>> score = xr.DataArray([0.5, 0.5], dims="quantile", coords={"quantile": level})
    >>> crps_of(score).item()
    0.75
    """
    order = score.sortby("quantile")
    levels = order["quantile"].to_numpy()
    ends = np.concatenate(([0.0], levels, [1.0]))
    width = xr.DataArray((ends[2:] - ends[:-2]) / 2.0, dims="quantile")
    found = 2.0 * (order * width).sum("quantile", skipna=False)
    noun = "percentile" if levels.size == 1 else "percentiles"
    units = {"units": score.attrs["units"]} if "units" in score.attrs else {}
    return found.assign_attrs(
        long_name=f"CRPS, estimated from {levels.size} {noun}", **units
    )
