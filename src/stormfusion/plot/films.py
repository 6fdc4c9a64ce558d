"""Films: a sequence of maps as GIF or MP4."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from stormfusion.errors import MissingExtraError
from stormfusion.plot import coords, maps
from stormfusion.plot.colors import paint
from stormfusion.writing import as_path, replacing

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from PIL.Image import Image


def animate(
    array: xr.DataArray,
    path: str | os.PathLike[str],
    *,
    fps: int | float = 5,
    cmap: "str | Colormap" = "standard",
    title: str | None = None,
) -> Path:
    """
    Write a film of maps, one frame for each time or lead time.

    The file appears under its name only when it is whole.

    Parameters
    ----------
    array
        Maps with dims `time` or `lead`, `y` and `x`.
    path
        Where to write: `.gif`, or `.mp4`, for which ffmpeg must be installed.
    fps
        Frames per second.
    cmap
        Colours, as in `field`.
    title
        A first line above each frame's time.

    Returns
    -------
    Path
        The file written.

    Examples
    --------
    >>> import tempfile
    >>> import stormfusion.plot as plot
    >>> vil = xr.DataArray(np.ones((2, 8, 8)), dims=("time", "y", "x"), name="vil")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot.animate(vil, f"{folder}/storm.gif").name
    'storm.gif'
    """
    coords.labelled(array, role="array")
    moving = [dim for dim in ("time", "lead") if dim in array.dims]
    if len(moving) != 1 or array.sizes[moving[0]] == 0:
        shown = ", ".join(map(str, array.dims))
        raise ValueError(
            f"a film needs frames along time or lead, but array has dims ({shown}) and "
            f"shape {array.shape}"
        )
    return film(path, _play(array, moving[0], cmap, title), fps)


def film(
    path: str | os.PathLike[str], figures: Iterator["Figure"], fps: int | float
) -> Path:
    """Write the states of a figure as a film, whole or not at all."""
    path = as_path(path)
    writers = {".gif": _gif, ".mp4": _mp4}
    if path.suffix.lower() not in writers:
        raise ValueError(f"a film is .gif or .mp4, but got {path.name!r}")
    if not isinstance(fps, int | float | np.number) or not fps > 0:
        raise ValueError(f"fps must be a positive number, but got {fps!r}")
    with replacing(path) as temporary:
        writers[path.suffix.lower()](temporary, figures, fps)
    return path


def _play(
    array: xr.DataArray, dim: str, cmap: "str | Colormap", title: str | None
) -> Iterator["Figure"]:
    count = array.sizes[dim]
    first = coords.frame(array.isel({dim: 0}))
    known = array if isinstance(array.data, np.ndarray) else array.compute()
    brush = paint([known], cmap=cmap)
    figure, ax = maps.place(first, None, bar=True)
    image: Any = maps.draw(ax, first, brush, said=False)
    missing = bool(np.isnan(known.values.astype(float)).any())
    maps.bar(ax, image, brush, label=coords.quantity(first), missing=missing)
    for index in range(count):
        one = coords.frame(known.isel({dim: index}))
        image.set_array(np.clip(one.values, -1e30, 1e30))
        words = coords.moment(one) or f"frame {index + 1} of {count}"
        maps.entitle(ax, "\n".join(filter(None, (title, words))))
        if index == 0:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        yield figure


def _gif(path: Path, figures: Iterator["Figure"], fps: int | float) -> None:
    images = (_image(figure) for figure in figures)
    next(images).save(
        path,
        save_all=True,
        append_images=images,
        duration=max(20, round(1000 / fps)),
        loop=0,
        disposal=1,
    )


def _image(figure: "Figure") -> "Image":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    agg: Any = FigureCanvasAgg(figure)
    agg.draw()
    pixels = np.asarray(agg.buffer_rgba())[..., :3]
    return Image.fromarray(pixels).quantize(128)


def _mp4(path: Path, figures: Iterator["Figure"], fps: int | float) -> None:
    from matplotlib.animation import FFMpegWriter

    if not FFMpegWriter.isAvailable():
        raise MissingExtraError(
            "an .mp4 needs the program ffmpeg, which is not on the PATH; install it "
            "(conda install ffmpeg, apt install ffmpeg), or write a .gif"
        )
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    writer = FFMpegWriter(fps=fps, codec="h264")  # type: ignore[arg-type]
    figure = next(figures)
    FigureCanvasAgg(figure)
    with writer.saving(figure, str(path), dpi=figure.dpi):
        writer.grab_frame()
        for _ in figures:
            writer.grab_frame()
