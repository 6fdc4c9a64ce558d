import numpy as np
import pytest
import xarray as xr

from stormfusion.errors import GridMismatchError
from stormfusion.verification.spacing import spacing_of


def rain(**coords):
    return xr.DataArray(np.zeros((3, 4)), dims=("y", "x"), coords=coords)


def test_kilometres_whatever_the_units_and_the_direction():
    y, x = np.arange(3)[::-1] * 500.0, np.arange(4) * 2000.0
    assert spacing_of(rain(y=y, x=x)) == ((0.5, 2.0), "")
    kilometres = rain(y=y / 1000, x=x / 1000)
    for dim in ("y", "x"):
        kilometres[dim].attrs["units"] = "km"
    assert spacing_of(kilometres) == ((0.5, 2.0), "")


def test_the_rounding_of_coordinates_is_forgotten():
    y, x = np.arange(3) * 1000.0, np.arange(4) * 1000.0 * (1 + 1e-9)
    assert spacing_of(rain(y=y, x=x))[0] == (1.0, 1.0)


def test_without_coordinates_it_is_a_guess_and_with_half_of_them_an_error():
    assert spacing_of(rain()) == (
        (1.0, 1.0),
        ", on a grid without coordinates, as if a pixel was 1 km wide",
    )
    with pytest.raises(GridMismatchError, match="'y' has no coordinate"):
        spacing_of(rain(x=np.arange(4) * 1000.0))
    with pytest.raises(GridMismatchError, match="wanted even spacing"):
        spacing_of(rain(y=np.array([0.0, 1.0, 9.0]), x=np.arange(4.0)))
