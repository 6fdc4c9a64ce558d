"""How far apart the pixels of a map are, in kilometres."""

import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.grids import Grid

FINEST = 10.0
"""Metres between pixels, below which coordinates without units are not metres."""
GUESS = ", on a grid without coordinates, as if a pixel was 1 km wide"


def spacing_of(observed: xr.DataArray) -> tuple[tuple[float, float], str]:
    """
    Distance between rows and between columns, and words where it is a guess.

    Parameters
    ----------
    observed
        A field with the dimensions `y` and `x`, and coordinates on both or on neither.

    Returns
    -------
    tuple of tuple of float and str
        Both distances [km], at the centre of the grid; 1 km where there are no
        coordinates, and then the words that say so, to be put into a comment.

    Raises
    ------
    GridMismatchError
        If the grid is not regular, or is in no units and too fine to be in metres.

    Examples
    --------
    >>> rain = xr.DataArray([[0.0, 1.0], [2.0, 3.0]], dims=("y", "x"))
    >>> spacing_of(rain.assign_coords(y=[0.0, 500.0], x=[0.0, 2000.0]))
    ((0.5, 2.0), '')
    >>> spacing_of(rain)[0]
    (1.0, 1.0)
    """
    if not {"y", "x"} & set(observed.coords):
        return (1.0, 1.0), GUESS
    grid = Grid.of(observed)
    if min(grid.spacing) < FINEST and not any(
        "units" in observed[dim].attrs for dim in ("y", "x")
    ):
        raise GridMismatchError(
            f"y and x have no units and steps of {grid.spacing[0]:.3g} and "
            f"{grid.spacing[1]:.3g}, too small for metres; write their units, such as "
            "observed.y.attrs['units'] = 'km', in forecast and observed, or drop both "
            "with .drop_vars(['y', 'x'])"
        )
    # freed of the rounding of coordinates, so that equal grids have equal spacing
    dy, dx = (float(f"{length / 1000:.6g}") for length in grid.spacing)
    return (dy, dx), ""
