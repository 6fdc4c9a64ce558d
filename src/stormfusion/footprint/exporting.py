"""What a footprint gives to other programs: maps, areas, places and hazards."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stormfusion.footprint.storing import Stored
from stormfusion.hazards import Hazard
from stormfusion.interop.climada import write_hazard
from stormfusion.products.files.climada import percentile_hazard
from stormfusion.products.files.geotiff import write_geotiff
from stormfusion.products.files.places import at_places
from stormfusion.products.files.swaths import features_of, frame_of, write_geojson


class Exported(Stored):
    """
    A footprint for other programs: maps, areas, places and hazards.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    """

    def to_geotiff(
        self,
        path: str | Path,
        variable: str = "window_probability",
        *,
        hazard: str | Hazard | Sequence[str | Hazard] | None = None,
        lead: Any = None,
        quantile: float | None = None,
    ) -> Path:
        """
        Write maps of one variable as a Cloud-Optimized GeoTIFF.

        Each hazard, lead time and quantile is a band, and says which in its
        description. North is up, west is left, and what is missing is NaN; overviews
        hold means. The attributes of the footprint are tags of the file. Degrees are
        those of WGS84 (EPSG:4326). Needs the extra `geo`.

        Parameters
        ----------
        path
            Where the file shall be, written whole or not at all.
        variable
            Any of the dataset with the dimensions `y` and `x`.
        hazard
            A hazard of the footprint, or several; all by default.
        lead
            A lead time, such as `"30min"`; all by default.
        quantile
            From 0 to 1; all by default.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        ModuleNotFoundError
            If rasterio is not installed.
        ValueError
            If the footprint lacks what is asked for, or the path ends as a file of
            another kind does.
        GridMismatchError
            If the projection is unknown, or none that GeoTIFF can hold.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = made.to_geotiff(f"{folder}/risk.tif", "percentile", lead="30min")
        ...     path.name
        'risk.tif'
        """
        return write_geotiff(
            self.dataset, path, variable, hazard=hazard, lead=lead, quantile=quantile
        )

    def to_geojson(
        self,
        path: str | Path,
        probability: float | Sequence[float] = 0.5,
        *,
        hazard: str | Hazard | Sequence[str | Hazard] | None = None,
        lead: Any = None,
    ) -> Path:
        """
        Write the areas that are as probably touched as that as GeoJSON (RFC 7946).

        Each contiguous area is a polygon in longitudes and latitudes on WGS84, with
        its holes. Its line is interpolated between the centres of pixels: all that
        reach the probability lie in it, and no others. It ends at the edge of the
        domain and of missing pixels. Needs no extra, other than `geo` where an area
        crosses the longitude of 180 degrees, at which it is cut.

        Parameters
        ----------
        path
            Where the file shall be, written whole or not at all.
        probability
            One, or several, above 0 and at most 1.
        hazard
            A hazard of the footprint, or several; all by default.
        lead
            A lead time, such as `"30min"`. By default the probability is that of the
            whole window.

        Returns
        -------
        Path
            The path. Each feature has the properties `hazard` and `probability`;
            `peak`, the largest probability of its pixels; `area_km2` on the ellipsoid;
            `arrival_min`, the median over its pixels of the lead time [min] at which
            the hazard comes; `arrival_earliest_min` and `arrival_latest_min`, the
            smallest of the 10th and the largest of the 90th percentiles there; the
            same in UTC as `arrival`, `arrival_earliest` and `arrival_latest`; and the
            attributes of the footprint, which the collection has as `provenance`.
            Where there is no such area there are no features.

        Raises
        ------
        ValueError
            If a probability is out of range, the footprint lacks what is asked for, or
            the path ends as a file of another kind does.
        GridMismatchError
            If the projection is unknown, or an area lies about a pole.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import json, tempfile
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = made.to_geojson(f"{folder}/risk.geojson", probability=(0.3, 0.7))
        ...     json.loads(path.read_text())["type"]
        'FeatureCollection'
        """
        return write_geojson(self.dataset, path, probability, hazard=hazard, lead=lead)

    def swaths(
        self,
        probability: float | Sequence[float] = (0.3, 0.5, 0.7),
        *,
        hazard: str | Hazard | Sequence[str | Hazard] | None = None,
        lead: Any = None,
    ) -> Any:
        """
        The areas that are as probably touched as that, as a table.

        Needs the extra `geo`.

        Parameters
        ----------
        probability, hazard, lead
            As in `to_geojson`.

        Returns
        -------
        GeoDataFrame
            A row for each area, with the properties that `to_geojson` writes, in
            longitudes and latitudes on WGS84.

        Raises
        ------
        ModuleNotFoundError
            If geopandas is not installed.
        ValueError, GridMismatchError
            As `to_geojson`.

        Examples
        --------
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> swaths = made.swaths(0.5)
        >>> bool((swaths.peak >= 0.5).all()), swaths.crs.to_epsg()
        (True, 4326)
        """
        return frame_of(
            features_of(self.dataset, probability, hazard=hazard, lead=lead)
        )

    def at(self, places: pd.DataFrame, *, lead: Any = None) -> pd.DataFrame:
        """
        What the footprint says of places: points, or polygons.

        A point has the values of the pixel that holds it. A polygon has the largest of
        those pixels it touches, and of `arrival` the earliest. Of a probability that is
        the least that *somewhere in the polygon* has, since different members may hit
        different pixels.

        Parameters
        ----------
        places
            A table with the columns `latitude` and `longitude` (or `lat` and `lon`)
            [degrees, longitudes either way], or a GeoDataFrame of points and polygons
            in any projection.
        lead
            A lead time, such as `"30min"`. By default what is said is of the window.

        Returns
        -------
        DataFrame
            On the index of `places`, as far as the dataset holds it:
            `probability[vil >= 12 kg m-2]` for each hazard; `percentile[90]` for each
            percentile, and `mean`, of the largest value over the window, in the units
            of the variable; for each hazard `arrival[...]` and `duration[...]` [min];
            `accumulation` [mm]; and `inside`, whether all of the place lies in the
            domain. NaN outside of it, where the pixel is missing, and where the
            place has no coordinates. How many lie outside is in `attrs["outside"]`,
            and in one warning; how many have no coordinates in `attrs["unplaced"]`.

        Raises
        ------
        TypeError
            If the places are no table, or their coordinates no numbers.
        ValueError
            If there are no coordinates, or some that are none: latitudes beyond 90
            degrees, which are longitudes mostly; or if the footprint has nothing at
            lead times.
        GridMismatchError
            If the projection of the footprint is unknown.

        Examples
        --------
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> towns = pd.DataFrame({"lat": [38.4], "lon": [-105.5]}, index=["Westcliffe"])
        >>> made.at(towns).columns.tolist()[:2]
        ['probability[vil >= 3.5 kg m-2]', 'percentile[10]']
        """
        return at_places(self.dataset, places, lead=lead)

    def to_climada(
        self, path: str | Path | None = None, *, kind: str | None = None
    ) -> Any:
        """
        The percentiles of the window as a hazard of CLIMADA. Needs the extra `climada`.

        Each percentile of each member's largest value is an event: a map of
        intensities in the units of the variable, pixel by pixel, and no storm that
        could happen. Its frequency is the share of the members that it stands for, and
        together they are 1. So the average impact that CLIMADA computes, of one place
        and of all, is that expected of this forecast, as finely as there are
        percentiles; the impact of one event on all places means nothing. For the
        losses of whole storms give CLIMADA the members.

        Parameters
        ----------
        path
            Where to write the HDF5 file that `Hazard.from_hdf5` reads, if anywhere;
            whole or not at all.
        kind
            The two letters by which CLIMADA finds the impact function. By default
            `"HL"` for hail, `"PR"` for rain, `"VI"` for VIL.

        Returns
        -------
        climada.hazard.Hazard
            At the centres of the pixels; those that are missing are left out. The
            attributes of the footprint are in its `provenance`, as JSON.

        Raises
        ------
        ModuleNotFoundError
            If CLIMADA is not installed.
        ValueError
            If the footprint has no percentiles, its variable no letters, or the path
            ends as a file of another kind does.
        GridMismatchError
            If the projection is unknown.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> from stormfusion import Catalog, Nowcaster
        >>> event = Catalog.synthetic(events=1, size=64)[0]
        >>> made = Nowcaster("steps").footprint(event, "vil >= 3.5 kg m-2", members=4)
        >>> made.to_climada("vil.h5").frequency  # doctest: +SKIP
        array([0.3, 0.4, 0.3])
        """
        hazard = percentile_hazard(self.dataset, kind=kind)
        if path is not None:
            write_hazard(hazard, path)
        return hazard
