"""How far apart the pixels of a map are, in kilometres."""

import xarray as xr

from stormfusion.grids import measured

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
    grid = measured(observed)
    # freed of the rounding of coordinates, so that equal grids have equal spacing
    dy, dx = (float(f"{length / 1000:.6g}") for length in grid.spacing)
    return (dy, dx), ""
