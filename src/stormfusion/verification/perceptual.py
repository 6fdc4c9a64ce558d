"""How alike two maps look: distances in the features of trained networks."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr

from stormfusion.data.scaling import scaling_for
from stormfusion.losses import LPIPS, Loss, Perceptual
from stormfusion.nn import RadarEncoder
from stormfusion.units import VARIABLES
from stormfusion.verification.pairs import Dims, described, pair, ratio, summed
from stormfusion.verification.values import in_ours

Bare = npt.NDArray[Any]


def distance_sums(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    loss: Loss,
    variable: str | None = None,
    over: Dims = None,
) -> xr.Dataset:
    """
    Sum a loss over maps, each weighed by its valid pixels.

    Parameters
    ----------
    forecast
        One forecast, or an ensemble along `member`, whose members are compared one by
        one and averaged.
    observed
        The observations on the grid of `forecast`, with the dimensions `y` and `x`.
    loss
        What compares two maps, such as `Perceptual()`. It sees the network numbers of
        one map at a time, missing pixels of either left out of both. A map that is too
        small for it, less than `loss.least` pixels each way, is not compared.
    variable
        Whose network numbers; the name of `observed` if not given.
    over
        Dimensions to pool besides `y` and `x`; all but `lead` if not given.

    Returns
    -------
    Dataset
        `<name>_sum` and `<name>_pixels`, for the name of the loss. Sums of several
        samples `merge`.

    Raises
    ------
    ValueError
        If the variable is not known, or there are no maps.

    Examples
    --------
    >>> from stormfusion.losses import MSE
    >>> observed = xr.DataArray([[25.0, 60.0]], dims=("y", "x"), name="reflectivity")
    >>> sums = distance_sums(0 * observed - 10, observed, loss=MSE())
    >>> sums.mse_sum.item(), sums.mse_pixels.item()
    (1.25, 2.0)
    """
    name = getattr(observed, "name", None) if variable is None else variable
    if name not in VARIABLES:
        raise ValueError(
            f"variable is {name!r}, wanted one of {', '.join(VARIABLES)}; name it with "
            "variable=, or with observed.rename"
        )
    observed, forecast = in_ours(str(name), observed, forecast)
    forecast, observed = pair(forecast, observed, members=True)
    if not {"y", "x"} <= set(observed.dims):
        raise ValueError(
            f"maps need the dimensions y and x, but got {observed.dims}; rename the "
            "axes with .rename"
        )
    scaling, loss = scaling_for(str(name)), loss.bound(str(name))
    # a network sees maps with the north in their first row
    for dim, north in (("y", -1), ("x", 1)):
        if dim in observed.indexes and observed.sizes[dim] > 1:
            labels = observed[dim].values
            step = 1 if (labels[-1] > labels[0]) == (north > 0) else -1
            forecast = forecast.isel({dim: slice(None, None, step)})
            observed = observed.isel({dim: slice(None, None, step)})

    def compared(f: Bare, o: Bare) -> Bare:
        valid = np.isfinite(f) & np.isfinite(o)
        count = float(valid.sum())
        if not count or min(f.shape) < loss.least:
            return np.zeros(2)
        fields = (torch.from_numpy(np.array(x, dtype=np.float32)) for x in (f, o))
        ours, theirs = (scaling.normalize(field)[None, None] for field in fields)
        with torch.no_grad():
            found = loss(ours, theirs, torch.from_numpy(valid)[None, None])
        return np.array([float(found) * count, count])

    sums = xr.apply_ufunc(
        compared,
        forecast.drop_vars(["y", "x"], errors="ignore"),
        observed.drop_vars(["y", "x"], errors="ignore"),
        input_core_dims=[["y", "x"], ["y", "x"]],
        output_core_dims=[["part"]],
        vectorize=True,
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"part": 2}, "allow_rechunk": True},
    )
    if "member" in sums.dims:
        sums = sums.mean("member")
    sums = sums.sum([d for d in summed(observed, over) if d not in ("y", "x")])
    total, pixels = (sums.isel(part=i) for i in range(2))
    told = {} if loss.digest is None else {"encoder": loss.digest}
    return xr.Dataset(
        {
            f"{loss.name}_sum": described(
                total, f"sum of {loss.name} over pixels"
            ).assign_attrs(told),
            f"{loss.name}_pixels": described(pixels, "pixels compared"),
        }
    )


def checked_distances(distances: Any) -> tuple[Loss, ...]:
    """
    Losses that compare one whole map with another, each once.

    Examples
    --------
    >>> checked_distances([Perceptual(), Perceptual()])
    Traceback (most recent call last):
    ValueError: distances hold 'perceptual' twice, wanted each once; score the other in
    a second run
    """
    advice = "wanted losses of whole maps, such as [Perceptual(), LPIPS()]"
    if isinstance(distances, str | Loss) or not isinstance(distances, Iterable):
        raise TypeError(f"distances are {distances!r}, {advice}")
    found: list[Loss] = []
    for loss in distances:
        if not isinstance(loss, Loss):
            raise TypeError(f"distances hold {loss!r}, {advice}")
        if loss.kind != "shaping":
            raise ValueError(
                f"{loss.name!r} compares pixel by pixel and is a score already, "
                f"{advice}"
            )
        if loss.frames > 1:
            raise ValueError(
                f"{loss.name!r} compares {loss.frames} leads at once, {advice}"
            )
        if loss.name in [other.name for other in found]:
            raise ValueError(
                f"distances hold {loss.name!r} twice, wanted each once; score the "
                "other in a second run"
            )
        loss.prepare()
        found.append(loss)
    return tuple(found)


def distance_score(sums: xr.Dataset, name: str) -> xr.DataArray:
    """
    The mean distance of its sums.

    Parameters
    ----------
    sums
        As from `distance_sums`, or several of these merged.
    name
        Name of the loss.

    Returns
    -------
    DataArray
        NaN where nothing was compared [1]. The attribute `encoder` is the digest of the
        encoder, where there is one.

    Examples
    --------
    >>> sums = xr.Dataset({"perceptual_sum": 1.0, "perceptual_pixels": 4.0})
    >>> distance_score(sums, "perceptual").item()
    0.25
    """
    words = {"perceptual": "perceptual distance", "lpips": "LPIPS"}
    found = ratio(sums[f"{name}_sum"], sums[f"{name}_pixels"])
    told = {k: v for k, v in sums[f"{name}_sum"].attrs.items() if k == "encoder"}
    return described(found, words.get(name, name)).assign_attrs(told)


def perceptual_distance(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    variable: str | None = None,
    encoder: RadarEncoder | str | Path | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Squared distance of the features of the radar encoder.

    It tells a sharp storm that is a little displaced, which is near, from one that is
    smoothed away, which is far, where the squared error prefers the second. See
    `losses.Perceptual` for the formula.

    Parameters
    ----------
    forecast, observed, variable, over
        As in `distance_sums`; pixels missing in either are left out of both.
    encoder
        The encoder or the file of one; that of the library if none is given, which is
        for VIL, reflectivity and rain rate at about 1 km. Distances by different
        encoders do not compare.

    Returns
    -------
    DataArray
        From 0, best 0, about 1 for storms that have nothing to do with each other [1];
        NaN where nothing was compared, as for maps of less than 32 pixels each way.

    Raises
    ------
    ValueError
        If the encoder was not trained for the variable.

    Examples
    --------
    >>> rain = np.zeros((64, 64))
    >>> rain[20:40, 20:40] = 10.0
    >>> observed = xr.DataArray(rain, dims=("y", "x"), name="rain_rate")
    >>> moved = observed.roll(x=2)
    >>> far = perceptual_distance(0 * observed, observed)
    >>> bool(perceptual_distance(moved, observed) < far)
    True
    """
    loss = Perceptual(encoder)
    name = str(observed.name if variable is None else variable)
    if (why := loss.beware(name)) is not None and name in VARIABLES:
        raise ValueError(why)
    sums = distance_sums(forecast, observed, loss=loss, variable=variable, over=over)
    return distance_score(sums, loss.name)


def lpips(
    forecast: xr.DataArray,
    observed: xr.DataArray,
    *,
    variable: str | None = None,
    loss: LPIPS | None = None,
    over: Dims = None,
) -> xr.DataArray:
    """
    Learned perceptual image patch similarity, of photographs.

    Parameters
    ----------
    forecast, observed, variable, over
        As in `distance_sums`; pixels missing in either are left out of both.
    loss
        Such as `LPIPS(net="vgg")`; `LPIPS()` if not given, as most papers of the field.

    Returns
    -------
    DataArray
        From 0, best 0 [1]; NaN where nothing was compared.

    Raises
    ------
    WeightsError
        If the weights of its network are neither on this machine nor to be downloaded.

    References
    ----------
    Zhang, R., P. Isola, A. A. Efros, E. Shechtman, and O. Wang, 2018: The unreasonable
    effectiveness of deep features as a perceptual metric. *CVPR 2018*, 586-595,
    <https://arxiv.org/abs/1801.03924>.

    Examples
    --------
    With a trunk at random, which needs no weights and tells nothing:

    >>> observed = xr.DataArray(np.eye(64), dims=("y", "x"), name="rain_rate")
    >>> lpips(observed, observed, loss=LPIPS(pnet_rand=True)).item()
    0.0
    """
    loss = LPIPS() if loss is None else loss
    sums = distance_sums(forecast, observed, loss=loss, variable=variable, over=over)
    return distance_score(sums, loss.name)
