import numpy as np
import pytest
import torch
import xarray as xr

from stormfusion import verification
from stormfusion.verification import tensors

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here"),
    ),
    pytest.param(
        "mps",
        marks=pytest.mark.skipif(
            not torch.backends.mps.is_available(), reason="no MPS here"
        ),
    ),
]


def fields(gaps):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, (5, 3, 17, 20)).astype(np.float32)
    y = rng.integers(0, 6, (3, 17, 20)).astype(np.float32)
    if gaps:
        x[rng.random(x.shape) < 0.02] = np.nan
        y[:, 3:9, 4:12] = np.nan
    return x, y


def labelled(x, y):
    dims = ("lead", "y", "x")
    return xr.DataArray(x, dims=("member", *dims)), xr.DataArray(y, dims=dims)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("gaps", [False, True])
def test_the_same_as_on_labelled_arrays(device, gaps):
    x, y = fields(gaps)
    f, o = (torch.from_numpy(a).to(device) for a in (x, y))
    forecast, observed = labelled(x, y)
    over = ("lead", "y", "x")

    table = verification.contingency(
        forecast.isel(member=0), observed, threshold=[1, 4], over=over
    )
    found = tensors.counts(f[0], o, thresholds=[1, 4])
    assert found.dtype == torch.int64
    assert found.device == f.device
    np.testing.assert_array_equal(found.cpu().T, table.to_array())

    for fair in (True, False):
        sums = verification.crps_sums(forecast, observed, fair=fair, over=over)
        pairs, total = tensors.crps_sums(f, o, fair=fair).tolist()
        assert pairs == sums.crps_pairs.item()
        assert total == pytest.approx(sums.crps_sum.item(), rel=1e-5)

    sums = verification.fss_sums(
        forecast, observed, threshold=[1, 4], scale=[1, 5, 41], over=over
    )
    found = tensors.fss_sums(f, o, thresholds=[1, 4], scales=[1, 5, 41]).cpu()
    for part, name in enumerate(("fss_windows", "fss_numerator", "fss_denominator")):
        np.testing.assert_allclose(found[..., part], sums[name], rtol=1e-5)


def test_sums_of_tensors_add():
    x, y = (torch.from_numpy(a) for a in fields(gaps=True))
    for sums in (
        lambda f, o: tensors.counts(f[0], o, thresholds=[2.0]),
        tensors.crps_sums,
        lambda f, o: tensors.fss_sums(f, o, thresholds=[2.0], scales=[3]),
    ):
        parts = sums(x[:, :1], y[:1]) + sums(x[:, 1:], y[1:])
        torch.testing.assert_close(parts, sums(x, y))


def test_blocks_do_not_show(monkeypatch):
    x, y = (torch.from_numpy(a) for a in fields(gaps=True))
    whole = tensors.crps_sums(x, y)
    monkeypatch.setattr(tensors, "PIXELS", 37)
    torch.testing.assert_close(tensors.crps_sums(x, y), whole)


def test_what_does_not_fit_is_refused():
    x, y = (torch.from_numpy(a) for a in fields(gaps=False))
    with pytest.raises(ValueError, match="wanted one shape"):
        tensors.counts(x[0], y[:, :5], thresholds=[1.0])
    with pytest.raises(ValueError, match="2 or more members"):
        tensors.crps_sums(x[:1], y)
    with pytest.raises(ValueError, match=r"bring one to the device"):
        tensors.counts(x[0].to("meta"), y, thresholds=[1.0])
