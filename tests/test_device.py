import pytest
import torch

from stormfusion import Catalog, Nowcaster
from stormfusion.device import best_device, checked_device
from stormfusion.nn import RadarEncoder


def test_the_best_device_is_there() -> None:
    assert checked_device("auto") == best_device()
    assert torch.zeros(1, device=best_device()).sum() == 0
    assert checked_device("cpu") == checked_device(torch.device("cpu")) == "cpu"


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "meta", 3.5, None])
def test_a_device_that_is_not_there(name) -> None:
    with pytest.raises(ValueError, match=r"is not on this machine, which has cpu"):
        checked_device(name)
    with pytest.raises(ValueError, match=r"name one of them, or 'auto'"):
        Nowcaster("persistence", device=name)
    with pytest.raises(ValueError, match=r"name one of them, or 'auto'"):
        RadarEncoder.fit(Catalog.synthetic(events=1), device=name)
