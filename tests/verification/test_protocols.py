import os
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog
from stormfusion.units import vil_from_bytes
from stormfusion.verification import (
    PROTOCOLS,
    Protocol,
    merge,
    protocol_scores,
    protocol_sums,
)

TINY = Protocol(
    name="tiny",
    about="of this test",
    history=2,
    leads=2,
    interval=5,
    size=(8, 8),
    stride=2,
    codes=(74, 133),
    pools=(4,),
)


def window(codes):
    vil = vil_from_bytes(np.asarray(codes, dtype=np.uint8))
    return xr.DataArray(
        vil, dims=("lead", "y", "x"), name="vil", attrs={"units": "kg m-2"}
    )


def pair_of_windows():
    """Two leads: one hit and one miss in the first, a false alarm in the second."""
    f, o = np.zeros((2, 8, 8)), np.zeros((2, 8, 8))
    f[0, 0, 0] = o[0, 0, 0] = o[0, 0, 5] = 74
    f[1, 7, 7], o[1, 6, 6] = 133, 200
    return window(f), window(o)


def test_counts_of_all_leads_are_pooled():
    f, o = pair_of_windows()
    scores = protocol_scores(protocol_sums(f, o, protocol=TINY), protocol=TINY)
    # of 74: one hit, two misses, one false alarm; of 133: one miss, one false alarm
    np.testing.assert_allclose(scores.csi, [1 / 4, 0])
    assert scores.csi_m.item() == pytest.approx(1 / 8)
    # in squares of four the false alarm of the second lead is a hit
    np.testing.assert_allclose(scores.csi_pool4, [2 / 3, 1])
    assert scores.threshold.values.tolist() == [74, 133]
    errors = [74**2, 133**2, 200**2]
    assert scores.mse.item() == pytest.approx(sum(errors) / 255**2 / 128)
    assert scores.attrs["protocol"] == "tiny"


def test_or_lead_by_lead():
    f, o = pair_of_windows()
    each = replace(TINY, by_lead=True)
    scores = protocol_scores(protocol_sums(f, o, protocol=each), protocol=each)
    assert scores.csi.values[0] == pytest.approx((1 / 2 + 0) / 2)


def test_windows_merge_and_stand_together():
    f, o = pair_of_windows()
    one, other = (protocol_sums(a, b, protocol=TINY) for a, b in ((f, o), (o, o)))
    both = xr.concat([f, o], "window"), xr.concat([o, o], "window")
    xr.testing.assert_allclose(
        merge(one, other), protocol_sums(*both, protocol=TINY), check_dim_order=False
    )


def test_an_ensemble_is_scored_by_its_mean():
    f, o = pair_of_windows()
    members = xr.concat([f, f + 1, f - 1], "member").clip(0)
    mean = members.mean("member", keep_attrs=True)
    xr.testing.assert_allclose(
        protocol_sums(members, o, protocol=TINY), protocol_sums(mean, o, protocol=TINY)
    )


def test_what_is_of_another_form_is_refused():
    f, o = pair_of_windows()
    with pytest.raises(ValueError, match=r"'sevir' is for \{'lead': 12"):
        protocol_sums(f, o, protocol="sevir")
    with pytest.raises(ValueError, match="wanted one of sevir, sevir-per-lead"):
        protocol_sums(f, o, protocol="SEVIR")


def test_protocols_are_values():
    assert set(PROTOCOLS) == {"sevir", "sevir-per-lead", "sevir-lr", "diffcast"}
    with pytest.raises(FrozenInstanceError):
        PROTOCOLS["sevir"].leads = 6
    with pytest.raises(TypeError):
        PROTOCOLS["mine"] = TINY
    np.testing.assert_allclose(
        PROTOCOLS["sevir"].thresholds,
        [0.154, 0.775, 3.533, 7.073, 12.136, 32.234],
        atol=5e-4,
    )


def persistence(protocol, catalog):
    """The sums of the last frame kept, over every window of a catalog."""
    total, windows = None, 0
    for event in catalog:
        frames = event["vil"].load().drop_vars("time")
        last = frames.sizes["time"] - protocol.history - protocol.leads
        for start in range(0, last + 1, protocol.stride):
            first = start + protocol.history
            observed = frames.isel(time=slice(first, first + protocol.leads))
            observed = observed.rename(time="lead")
            still = frames.isel(time=first - 1).expand_dims(lead=protocol.leads)
            sums = protocol_sums(still, observed, protocol=protocol)
            total = sums if total is None else merge(total, sums)
            windows += 1
    return total, windows


def test_persistence_of_windows_of_an_event():
    catalog = Catalog.synthetic(events=1, size=384, frames=49, variables=["vil"])
    sums, windows = persistence(PROTOCOLS["sevir"], catalog)
    assert windows == 3
    scores = protocol_scores(sums, protocol="sevir")
    assert 0 < scores.csi.values[0] < 1
    assert set(scores.data_vars) > {"csi_m", "csi_m_pool4", "csi_m_pool16", "mse"}


SEVIR = os.environ.get("STORMFUSION_SEVIR")


@pytest.mark.skipif(SEVIR is None, reason="STORMFUSION_SEVIR names no SEVIR on disk")
def test_persistence_on_sevir_is_that_of_the_papers():
    catalog = Catalog.open(Path(str(SEVIR)), variables=["vil"])
    _, test = catalog.where(lambda table: table["pct_missing"] == 0).split(
        before="2019-06-01"
    )
    sums, windows = persistence(PROTOCOLS["sevir"], test)
    assert windows == PROTOCOLS["sevir"].samples
    scores = protocol_scores(sums, protocol="sevir")
    assert scores.csi_m.item() == pytest.approx(0.2613, abs=5e-4)
    each = protocol_scores(sums, protocol="sevir-per-lead")
    assert each.csi_m.item() == pytest.approx(0.2695, abs=5e-4)
    assert each.mse.item() == pytest.approx(0.011528, abs=5e-6)
