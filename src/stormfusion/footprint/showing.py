"""A footprint to look at: pictures, films, an interactive map and a page."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from stormfusion.footprint.exporting import Exported
from stormfusion.hazards import Hazard

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Places = Mapping[str, tuple[float, float]] | pd.DataFrame
Hazards = str | Hazard | Iterable[str | Hazard]


class Shown(Exported):
    """
    A footprint that can be looked at.

    Parameters
    ----------
    dataset
        As in `Footprint`.
    """

    def plot(
        self,
        *,
        quantile: float = 0.9,
        cmap: "str | Colormap" = "standard",
        arrival: bool = False,
        title: str | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> "Figure":
        """
        Draw the probabilities over the window, and a percentile.

        Parameters
        ----------
        quantile, cmap, arrival, title, path
            As in `plot.footprint`: which percentile, its colours, whether to draw when
            each hazard arrives too, a title, and where to save the picture.

        Returns
        -------
        Figure
            The figure.
        """
        from stormfusion import plot

        return plot.footprint(
            self.dataset,
            quantile=quantile,
            cmap=cmap,
            arrival=arrival,
            title=title,
            path=path,
        )

    def animate(
        self,
        path: str | os.PathLike[str],
        *,
        hazards: Hazards | None = None,
        fps: int | float = 2,
        title: str | None = None,
    ) -> Path:
        """
        Write a film of the probabilities, a frame for each lead time.

        The file appears under its name only when it is whole.

        Parameters
        ----------
        path
            Where to write: `.gif`, or `.mp4`, for which ffmpeg must be installed.
        hazards
            Which hazards, a panel for each; all of them by default.
        fps
            Frames per second.
        title
            A first line above the time of each frame.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ValueError
            If the footprint has no probability by lead time, or not the hazard.
        """
        from stormfusion.plot.passages import passage
        from stormfusion.products.pages.words import chosen

        some = chosen(self.dataset, hazards)
        return passage(self.dataset, path, hazards=some, fps=fps, title=title)

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        hazards: Hazards | None = None,
        probabilities: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
        places: Places | None = None,
        cmap: "str | Colormap" = "standard",
        title: str | None = None,
    ) -> Path:
        """
        Write an interactive map: one file that a browser opens, without a network.

        It shows each lead time and the whole window, for each hazard the probability
        with its lines, and the percentiles, mean, spread, rain of the window, arrival
        time and duration where the footprint has them. A place that is pointed at tells
        its values. North is up, whatever the order of the rows; pixels without data are
        grey, hatched where the window is not known and a lead time is.

        Values are stored in 254 steps: probabilities to half a percent (what is above 0
        is never shown as 0, nor what is below 100 percent as 100), the others to about
        two percent of themselves, as the page says. Areas are counted on the
        footprint's own values. A domain of more than 1.2 million pixels is coarsened by
        a whole factor, and so is any whose file would be larger than 20 MB: each pixel
        shown then has the largest value of its block, or the earliest arrival.

        Parameters
        ----------
        path
            Where to write.
        hazards
            Which hazards; all of them by default.
        probabilities
            Where lines are drawn and areas counted, above 0 and up to 1.
        places
            Places to mark: latitude and longitude [degrees] by name, such as
            `{"Zurich": (47.38, 8.54)}`, or a table with the columns `latitude` and
            `longitude` and the names as its index or in a column `name`. Those outside
            the map are left out, with a warning.
        cmap
            Colours of percentiles and means, as in `plot.field`.
        title
            A title. If none is given, the length of the forecast.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ValueError
            If the footprint has not the hazard, a probability is none, or the path ends
            as a file of another kind does.
        GridMismatchError
            If the pixels are not on a regular grid, or places are given and the
            projection is unknown.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Nowcaster
        >>> catalog = Catalog.synthetic(events=3, size=64)
        >>> nowcaster = Nowcaster("persistence").fit(catalog, progress=False)
        >>> footprint = nowcaster.footprint(catalog[0], "vil >= 3.5 kg m-2", members=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     footprint.to_html(f"{folder}/map.html").name
        'map.html'
        """
        from stormfusion.products.pages.webmap import write_map

        return write_map(
            self.dataset,
            path,
            hazards=hazards,
            probabilities=probabilities,
            title=title,
            places=places,
            cmap=cmap,
        )

    def report(
        self,
        path: str | os.PathLike[str],
        observed: xr.DataArray | xr.Dataset | None = None,
        *,
        places: Places | None = None,
        title: str | None = None,
    ) -> Path:
        """
        Write a page to print: facts, maps, areas by lead time, and how good it was.

        One HTML file with all its pictures, on a sheet of A4. Where its probabilities
        are calibrated a second sheet shows how reliable they were in past forecasts;
        where `observed` is given another one verifies the footprint.

        Parameters
        ----------
        path
            Where to write.
        observed
            The observed variable at the times of the leads, as in `verify`.
        places
            Places to tell of, as in `to_html`. Those outside the domain are named as
            such.
        title
            A title. If none is given, the length of the forecast.

        Returns
        -------
        Path
            The file written.

        Raises
        ------
        ValueError, GridMismatchError
            As `to_html` and `verify` say.

        Examples
        --------
        >>> import tempfile
        >>> from stormfusion import Catalog, Nowcaster
        >>> catalog = Catalog.synthetic(events=3, size=64)
        >>> nowcaster = Nowcaster("persistence").fit(catalog, progress=False)
        >>> footprint = nowcaster.footprint(catalog[0], "vil >= 3.5 kg m-2", members=8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     footprint.report(f"{folder}/storm.html").name
        'storm.html'
        """
        from stormfusion.products.pages.report import write_report

        scores = None
        if observed is not None:
            # Footprint is what has it
            scores = self.verify(observed)  # type: ignore[attr-defined]
        return write_report(
            self.dataset, path, scores=scores, places=places, title=title
        )
