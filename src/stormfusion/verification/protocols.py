"""Protocols under which papers score SEVIR, as values that say all that matters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import xarray as xr

from stormfusion.units import vil_from_bytes, vil_to_code
from stormfusion.verification.continuous import error_scores, error_sums
from stormfusion.verification.counts import COUNTS, categorical_scores, contingency
from stormfusion.verification.pairs import described, pair
from stormfusion.verification.values import in_ours


@dataclass(frozen=True)
class Protocol:
    """
    How a table of scores was made: nothing of it may differ where scores compare.

    Parameters
    ----------
    name
        What the protocol is called here.
    about
        Where it comes from.
    history, leads
        Frames seen and frames forecast.
    interval
        From one frame to the next [min].
    size
        Height and width of a map [pixels].
    stride
        Frames from the start of one window to the next of an event.
    codes
        Thresholds in the numbers of SEVIR's bytes; an event is `value >= threshold`.
    pools
        Widths of squares of which the largest values are compared [pixels].
    by_lead
        Whether CSI is taken lead by lead and averaged then, instead of from the counts
        of all leads together.
    split
        Events before the first date are for training, before the second for
        validation, from there on for the test.
    samples
        Windows of the test, where the whole of SEVIR is at hand.
    made
        How its maps are made of SEVIR's.
    ensemble
        What stands for an ensemble.

    Examples
    --------
    >>> PROTOCOLS["sevir"].history, PROTOCOLS["sevir"].thresholds.round(2)
    (13, array([ 0.15,  0.78,  3.53,  7.07, 12.14, 32.23]))
    """

    name: str
    about: str
    history: int
    leads: int
    interval: int
    size: tuple[int, int]
    stride: int
    codes: tuple[int, ...] = (16, 74, 133, 160, 181, 219)
    pools: tuple[int, ...] = (4, 16)
    by_lead: bool = False
    split: tuple[str, str] = ("2019-01-01", "2019-06-01")
    samples: int | None = None
    made: str = "as they are"
    ensemble: str = "mean"

    @property
    def thresholds(self) -> np.ndarray:
        """The thresholds as VIL [kg m-2]."""
        return vil_from_bytes(np.array(self.codes)).astype(np.float64)


SEVIR = Protocol(
    name="sevir",
    about="Gao et al. (2022), Earthformer, table 6: counts of all together",
    history=13,
    leads=12,
    interval=5,
    size=(384, 384),
    stride=12,
    samples=12159,
)

PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            SEVIR,
            replace(
                SEVIR,
                name="sevir-per-lead",
                about="Gao et al. (2022), table 13, as in the SEVIR challenge",
                by_lead=True,
            ),
            Protocol(
                name="sevir-lr",
                about="SEVIR-LR of Gao et al. (2023), PreDiff",
                history=7,
                leads=6,
                interval=10,
                size=(128, 128),
                stride=6,
                made="the largest value of 3 x 3 pixels of every second frame",
            ),
            Protocol(
                name="diffcast",
                about="Yu et al. (2024), DiffCast",
                history=5,
                leads=20,
                interval=5,
                size=(128, 128),
                stride=20,
                made="resized to 128 x 128 pixels",
            ),
        )
    }
)
"""By name. Scores under one do not compare with those under another."""


def protocol_named(protocol: str | Protocol) -> Protocol:
    """
    A protocol itself, or the one of a name.

    Examples
    --------
    >>> protocol_named("sevir-lr").leads
    6
    """
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"protocol is {protocol!r}, wanted one of {', '.join(PROTOCOLS)}; or give "
            "a Protocol of your own"
        )
    return PROTOCOLS[protocol]


def protocol_sums(
    forecast: xr.DataArray, observed: xr.DataArray, *, protocol: str | Protocol
) -> xr.Dataset:
    """
    Sum what a protocol scores, over one window or many.

    Parameters
    ----------
    forecast
        VIL `(lead, y, x)`, with more dimensions for more windows; the mean is taken of
        an ensemble along `member`.
    observed
        VIL on the grid of `forecast`. Missing pairs are not counted, nor are pixels of
        which a member is missing.
    protocol
        Or its name.

    Returns
    -------
    Dataset
        Counts and sums of errors by lead. Those of several windows `merge`.

    Raises
    ------
    ValueError
        If the leads or the size of the maps are not those of the protocol.

    Examples
    --------
    >>> window = xr.DataArray(np.ones((6, 128, 128)), dims=("lead", "y", "x"))
    >>> sums = protocol_sums(window, window, protocol="sevir-lr")
    >>> sums.hits.sum("lead").values
    array([98304, 98304,     0,     0,     0,     0])
    """
    protocol = protocol_named(protocol)
    forecast, observed = in_ours("vil", forecast, observed)
    if "member" in forecast.dims:
        forecast = forecast.mean("member", skipna=False, keep_attrs=True)
    forecast, observed = pair(forecast, observed)
    _check_form(observed, protocol)
    parts = []
    for pool in (None, *protocol.pools):
        counts = contingency(
            forecast, observed, threshold=protocol.thresholds, pool=pool
        ).drop_vars("pool", errors="ignore")
        parts.append(counts.rename({name: named(name, pool) for name in COUNTS}))
    numbers = [
        xr.apply_ufunc(vil_to_code, a, dask="parallelized", output_dtypes=[a.dtype])
        / 255.0
        for a in (forecast, observed)
    ]
    sums = xr.merge([*parts, error_sums(*numbers)], combine_attrs="drop_conflicts")
    return sums.assign_coords(threshold=("threshold", list(protocol.codes)))


def protocol_scores(sums: xr.Dataset, *, protocol: str | Protocol) -> xr.Dataset:
    """
    The scores of a protocol.

    Parameters
    ----------
    sums
        As from `protocol_sums`, or several of these merged.
    protocol
        The same, or its name.

    Returns
    -------
    Dataset
        `csi`, and `csi_pool4` and the like, by threshold in SEVIR's bytes; `csi_m` and
        `csi_m_pool4`, their means; `pod`, `far`, `bias` and `hss`; `mse`, `mae` of
        SEVIR's bytes over 255. The attributes say under what protocol.

    Examples
    --------
    >>> window = xr.DataArray(np.full((6, 128, 128), 40.0), dims=("lead", "y", "x"))
    >>> sums = protocol_sums(window, window, protocol="sevir-lr")
    >>> protocol_scores(sums, protocol="sevir-lr").csi_m.item()
    1.0
    """
    protocol = protocol_named(protocol)
    if not protocol.by_lead:
        sums = sums.sum("lead", keep_attrs=True)
    scores = xr.Dataset()
    for pool in (None, *protocol.pools):
        names = {named(name, pool): name for name in COUNTS}
        table = categorical_scores(sums[list(names)].rename(names))
        wanted = ("csi", "pod", "far", "bias", "hss") if pool is None else ("csi",)
        for name in wanted:
            score = table[name].mean("lead") if protocol.by_lead else table[name]
            what = table[name].attrs["long_name"]
            scores[named(name, pool)] = described(score, what + _words(pool))
        mean = scores[named("csi", pool)].mean("threshold", skipna=False)
        what = f"mean critical success index{_words(pool)}"
        scores[named("csi_m", pool)] = described(mean, what)
    errors = error_scores(sums)
    for name in ("mse", "mae"):
        score = errors[name].mean("lead") if protocol.by_lead else errors[name]
        what = f"{errors[name].attrs['long_name']} of bytes over 255"
        scores[name] = described(score, what)
    what = {"long_name": "threshold in SEVIR's bytes", "units": "1"}
    scores["threshold"] = scores["threshold"].assign_attrs(what)
    scores.attrs = {
        "protocol": protocol.name,
        "comment": (
            f"{protocol.about}; {protocol.history} to {protocol.leads} frames of "
            f"{protocol.interval} min, {protocol.size[0]} x {protocol.size[1]} pixels "
            f"{protocol.made}; value >= threshold; "
            + ("CSI by lead, then averaged" if protocol.by_lead else "pooled counts")
            + f"; the ensemble's {protocol.ensemble}"
        ),
    }
    return scores


def named(name: str, pool: int | None) -> str:
    """
    The name of a score of pooled maps.

    Examples
    --------
    >>> named("csi", 4), named("csi", None)
    ('csi_pool4', 'csi')
    """
    return name if pool is None else f"{name}_pool{pool}"


def _words(pool: int | None) -> str:
    return "" if pool is None else f", of the largest value of {pool} x {pool} pixels"


def _check_form(observed: xr.DataArray, protocol: Protocol) -> None:
    given = {dim: observed.sizes.get(dim) for dim in ("lead", "y", "x")}
    wanted = dict(zip(given, (protocol.leads, *protocol.size), strict=True))
    if given != wanted:
        raise ValueError(
            f"the protocol {protocol.name!r} is for {wanted}, but got {given}; score "
            "what it was made for, or give a Protocol of your own"
        )
