"""Small storms, and a network that saw a few of them."""

import pytest

from stormfusion import Catalog, Nowcaster
from stormfusion.nn import UNet

SMALL = UNet(width=4, depth=1)


@pytest.fixture(scope="session")
def storms() -> Catalog:
    return Catalog.synthetic(
        events=5, size=40, frames=26, variables=("vil", "ir107", "lightning"), seed=3
    )


@pytest.fixture(scope="session")
def fitted(storms: Catalog) -> Nowcaster:
    nowcaster = Nowcaster(SMALL, device="cpu", inputs=("vil",))
    return nowcaster.fit(storms, epochs=1, progress=False)


@pytest.fixture(scope="session")
def still(storms: Catalog) -> Nowcaster:
    return Nowcaster("persistence", device="cpu").fit(storms, progress=False)
