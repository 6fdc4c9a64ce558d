"""Map projections: found in attributes, parsed, and turned into each other."""

import contextlib
import warnings
from functools import lru_cache
from math import degrees
from typing import Any, NamedTuple

import xarray as xr

LATITUDE_LONGITUDE = "EPSG:4326"
PROJECTION_KEYS = ("crs", "proj4", "projection", "proj")
"""Attributes that may hold the text of a projection."""


def projection_of(array: xr.DataArray | xr.Dataset) -> str | None:
    """
    Text of the projection that CF, rioxarray or plain attributes give.

    Text that PROJ does not understand counts for nothing: a grid may lack a projection.

    Examples
    --------
    >>> projection_of(xr.DataArray([0.0], attrs={"crs": "EPSG:3035"}))
    'EPSG:3035'
    """
    holders: list[Any] = [array]
    if isinstance(array, xr.Dataset):
        holders += list(array.data_vars.values())
    named = [
        str(place["grid_mapping"]).split(":")[0].strip()
        for holder in holders
        for place in (holder.attrs, holder.encoding)
        if place.get("grid_mapping")
    ]
    pool = array.variables if isinstance(array, xr.Dataset) else array.coords
    candidates: list[object] = []
    for name in [*named, "crs", "spatial_ref"]:
        if name in pool:
            attrs = pool[name].attrs
            keys = ("crs_wkt", "spatial_ref", "proj4", "proj4_params")
            candidates += [attrs.get(key) for key in keys] + [dict(attrs)]
    candidates += [array.attrs.get(key) for key in PROJECTION_KEYS]
    for candidate in candidates:
        if isinstance(candidate, str) and candidate.strip() and parses(candidate):
            return candidate
        if isinstance(candidate, dict) and candidate.get("grid_mapping_name"):
            text = _text_of_mapping(candidate)
            if text is not None:
                return text
    return None


def _text_of_mapping(attrs: dict[str, Any]) -> str | None:
    """The projection that CF attributes describe, None where they do not suffice."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    # names such as "unknown" are no help where the numbers say all
    bare = {k: v for k, v in attrs.items() if not k.endswith("_name")}
    bare["grid_mapping_name"] = attrs["grid_mapping_name"]
    for each in (attrs, bare):
        try:
            return str(CRS.from_cf(each).to_wkt())
        except (CRSError, KeyError, TypeError, ValueError):
            continue
    return None


def tell_of_lost_projection(array: xr.DataArray, name: str, *, stacklevel: int) -> None:
    """
    Warn where a grid mapping is named, is not there, and no projection is known.

    xarray leaves it behind where a variable is taken out of its dataset.

    Examples
    --------
    >>> rain = xr.DataArray([0.0], attrs={"grid_mapping": "crs"})
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     tell_of_lost_projection(rain, "rain_rate", stacklevel=1)
    >>> str(told[0].message)[:50]
    "'rain_rate' names the grid mapping 'crs', which is"
    """
    named = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    lost = str(named or "").split(":")[0].strip()
    if not lost or lost in array.coords or projection_of(array) is not None:
        return
    warnings.warn(
        f"{name!r} names the grid mapping {lost!r}, which is not there, so that its "
        f"projection is unknown; select both, such as dataset[[{name!r}, {lost!r}]]",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


@lru_cache(maxsize=64)
def parses(crs: str) -> bool:
    """Whether PROJ understands a text."""
    from pyproj.exceptions import CRSError

    try:
        _parse(crs)
    except CRSError:
        return False
    return True


@lru_cache(maxsize=64)
def _parse(crs: str) -> Any:
    from pyproj import CRS

    return CRS.from_user_input(crs)


class Standard(NamedTuple):
    """A projection in metres, or in degrees from Greenwich, and the way to it."""

    crs: str
    factor: float
    """Metres or degrees in the unit of the projection as it was given."""
    east: float
    """Its prime meridian [degrees east of Greenwich], 0 where it is not of degrees."""


@lru_cache(maxsize=64)
def standard(crs: str) -> Standard:
    """
    A projection in metres, or in degrees from Greenwich, for one in any unit.

    One that is so already keeps its text.

    Examples
    --------
    >>> standard("EPSG:3035")
    Standard(crs='EPSG:3035', factor=1.0, east=0.0)
    >>> standard("+proj=laea +lat_0=52 +lon_0=10 +units=km").factor
    1000.0
    >>> round(standard("+proj=longlat +pm=paris").east, 4)
    2.3372
    """
    parsed = _parse(crs)
    # of a height beside them, the third axis
    factors = [axis.unit_conversion_factor for axis in parsed.axis_info[:2]]
    factor, east = factors[0] if factors else 1.0, 0.0
    if parsed.is_geographic:
        factor = round(degrees(factor), 12)
        first = parsed.prime_meridian
        if first is not None and not parsed.is_derived:
            east = degrees(first.longitude * first.unit_conversion_factor)
    if factor == 1.0 and east == 0.0:
        return Standard(crs, 1.0, 0.0)
    described = parsed.to_json_dict()
    _standardize(described)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = str(type(parsed).from_json_dict(described).to_wkt())
    return Standard(text, factor, east)


def _standardize(described: dict[str, Any]) -> None:
    """Write metres, degrees and Greenwich into a PROJJSON description."""
    for part in [*described.get("components", [])[:1], described.get("source_crs")]:
        if part is not None:
            _standardize(part)
    if "coordinate_system" not in described:
        return
    described.pop("id", None)
    of_degrees = "Geographic" in described["type"]
    for axis in described["coordinate_system"]["axis"][:2]:
        axis["unit"] = "degree" if of_degrees else "metre"
    if of_degrees:
        for name in ("datum", "datum_ensemble"):
            described.get(name, {}).pop("prime_meridian", None)


@lru_cache(maxsize=64)
def transformer(source: str | None, target: str | None) -> Any:
    """The transformer of x and y (longitude and latitude) between two projections."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def title(crs: str | None) -> str:
    """
    What a projection is called, or its text where it has no name.

    Examples
    --------
    >>> title("EPSG:3035"), title(None)
    ("'ETRS89-extended / LAEA Europe'", 'unknown')
    """
    if crs is None:
        return "unknown"
    name = str(_parse(crs).name)
    return repr(crs if name == "unknown" else name)


def is_geographic(crs: str | None) -> bool:
    """Whether coordinates of a projection are latitudes and longitudes."""
    return crs is not None and bool(_parse(crs).is_geographic)


def is_turned(crs: str | None) -> bool:
    """Whether degrees are those of a pole that lies elsewhere."""
    return crs is not None and bool(_parse(crs).is_derived)


@lru_cache(maxsize=64)
def grid_mapping(crs: str) -> dict[str, object]:
    """
    The CF attributes that describe a projection, its whole text among them.

    A projection for which CF has no name is told by its text alone.

    Examples
    --------
    >>> sevir = grid_mapping("+proj=laea +lat_0=38 +lon_0=-98 +R=6370997")
    >>> sevir["grid_mapping_name"], sevir["latitude_of_projection_origin"]
    ('lambert_azimuthal_equal_area', 38.0)
    """
    with warnings.catch_warnings():
        # what the other attributes cannot say, crs_wkt does
        warnings.simplefilter("ignore")
        parsed = _parse(crs)
        found = dict(parsed.to_cf())
        if "grid_mapping_name" not in found:
            # EPSG names the form for a sphere otherwise, CF does not
            found = {**_of_any_body(parsed), **found}
    if found.get("grid_mapping_name") == "polar_stereographic":
        # CF asks for the pole besides the parallel of true scale, pyproj gives one
        north = float(str(found.get("standard_parallel", 90.0))) > 0
        found.setdefault("latitude_of_projection_origin", 90.0 if north else -90.0)
    return found


def _of_any_body(parsed: Any) -> dict[str, object]:
    """The CF attributes of a projection that EPSG has a spherical form of, or none."""
    described = parsed.to_json_dict()
    method = described.get("conversion", {}).get("method", {})
    if not str(method.get("name", "")).endswith(" (Spherical)"):
        return {}
    method["name"] = method["name"].removesuffix(" (Spherical)")
    method.pop("id", None)
    found = dict(type(parsed).from_json_dict(described).to_cf())
    return found if "grid_mapping_name" in found else {}


def proj4(crs: str) -> str:
    """
    A projection as the text with plus signs that older tools read.

    It may lose what such text cannot say, such as the name of the projection.

    Raises
    ------
    ValueError
        If there is no such text.

    Examples
    --------
    >>> proj4("EPSG:4326")
    '+proj=longlat +datum=WGS84 +no_defs'
    """
    from pyproj.exceptions import CRSError

    text = ""
    with warnings.catch_warnings(), contextlib.suppress(CRSError):
        warnings.simplefilter("ignore")
        text = str(_parse(crs).to_proj4())
    if "+proj=" not in text:
        raise ValueError(
            f"the projection {crs!r} has no text with plus signs, wanted one that has; "
            "regrid the data to another"
        )
    return text.replace(" +type=crs", "")
