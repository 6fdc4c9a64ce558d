from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from stormfusion import Catalog
from stormfusion.verification import (
    PROTOCOLS,
    brier,
    crps,
    csi,
    fss,
    granularity,
    protocol_scores,
    protocol_sums,
    roc,
    verify,
)


def field(seed, members=0):
    rng = np.random.default_rng(seed)
    shape = (members,) * bool(members) + (2, 40, 40)
    values = 8.0 * rng.random(shape).astype(np.float32) ** 4
    dims = ("member",) * bool(members) + ("lead", "y", "x")
    labels = {"lead": [5, 10], "y": np.arange(40) * 1e3, "x": np.arange(40) * 1e3}
    return xr.DataArray(
        values, dims=dims, coords=labels, name="rain_rate", attrs={"units": "mm/h"}
    )


def test_one_forecast():
    f, o = field(0), field(1)
    scores = verify(f, o, thresholds=[1, 5], scales=[1, 9])
    assert "forecast" not in scores.dims
    xr.testing.assert_allclose(scores.csi, csi(f, o, threshold=[1, 5]))
    xr.testing.assert_allclose(scores.fss, fss(f, o, threshold=[1, 5], scale=[1, 9]))
    assert {"mse", "perceptual", "spectrum_ratio", "csi_pool4"} < set(scores)
    assert "rank_histogram" not in scores
    assert verify(f, o).threshold.size == 5


def test_an_ensemble():
    f, o = field(0, members=4), field(1)
    scores = verify(f, o, thresholds=[1, 5], distances=())
    xr.testing.assert_allclose(scores.crps, crps(f, o), check_dim_order=False)
    xr.testing.assert_allclose(scores.brier, brier(f, o, threshold=[1, 5]))
    xr.testing.assert_allclose(scores.granularity, granularity(f, threshold=[1, 5]))
    assert scores.sizes["rank"] == 5
    assert {"spread", "spread_skill", "roc_area", "brier_skill"} < set(scores)
    assert "perceptual" not in scores


def test_several_by_name():
    o = field(1)
    given = {"ensemble": field(0, members=4), "dry": 0 * o, "perfect": o}
    scores = verify(given, o, thresholds=[1], distances=())
    assert scores.forecast.values.tolist() == ["ensemble", "dry", "perfect"]
    assert (scores.csi.sel(forecast="perfect") == 1).all()
    assert scores.rank_histogram.sel(forecast="dry").sum() == 0
    assert np.isnan(scores.spread_skill.sel(forecast="dry")).all()


def test_probabilities():
    members, o = field(0, members=4), field(1)
    p, event = (members >= 1).mean("member"), (o >= 1).astype(float)
    event[0, :3] = np.nan
    scores = verify(p, event, probability=True, scales=[1, 9])
    xr.testing.assert_allclose(scores.brier, brier(p, event))
    xr.testing.assert_allclose(scores.fss, fss(p, event, scale=[1, 9]))
    xr.testing.assert_allclose(scores.roc_area, roc(p, event).roc_area)
    assert scores["count"].sum() == event.notnull().sum()
    both = verify({"one": p, "other": 0 * p}, event, probability=True)
    assert both.forecast.values.tolist() == ["one", "other"]


def test_several_are_scored_on_the_same_pairs():
    members, o = field(0, members=4), field(1)
    p, event = (members >= 1).mean("member"), (o >= 1).astype(float)
    gap = p.where(p["x"] < 20e3)
    both = verify({"whole": p, "gap": gap}, event, probability=True)
    assert (both["count"].sum("bin") == event.notnull().sum() / 2).all()
    cut = verify(p.isel(x=slice(20)), event.isel(x=slice(20)), probability=True)
    xr.testing.assert_allclose(both.brier.sel(forecast="whole", drop=True), cut.brier)


def test_a_missing_member_is_missing_under_a_protocol():
    tiny = replace(PROTOCOLS["sevir"], leads=2, size=(40, 40), pools=())
    o = field(1).rename("vil").assign_attrs(units="kg m-2")
    members = xr.concat([o, o + 1, o.where(o["x"] < 20e3)], "member")
    sums = protocol_sums(members, o, protocol=tiny)
    assert (sums.pairs == 40 * 20).all()
    other = (2 * o).assign_attrs(o.attrs)
    both = verify({"gap": members, "other": other}, o, protocol=tiny)
    half = replace(tiny, size=(40, 20))
    cut = verify(*(a.isel(x=slice(20)) for a in (other, o)), protocol=half)
    assert cut.mse > 0
    xr.testing.assert_allclose(both.sel(forecast="other", drop=True), cut)


def test_cases_stream():
    forecasts, observations = (
        [field(i) for i in range(3)],
        [field(9), field(8), field(7)],
    )
    held = []

    def one_by_one(fields):
        for each in fields:
            held.append(each)
            yield each

    streamed = verify(
        one_by_one(forecasts), one_by_one(observations), thresholds=[1], distances=()
    )
    assert len(held) == 6
    together = verify(
        xr.concat(forecasts, "time"),
        xr.concat(observations, "time"),
        thresholds=[1],
        distances=(),
    )
    names = ["csi", "mse", "fss", "brier", "roc_area", "csi_pool4", "granularity"]
    xr.testing.assert_allclose(streamed[names], together[names])
    assert streamed.cases == 3


def test_dask_gives_the_same():
    pytest.importorskip("dask")
    f, o = field(0, members=4), field(1)
    options = {"thresholds": [1, 5], "scales": [1, 9], "distances": ()}
    eager = verify(f, o, **options)
    lazy = verify(f.chunk(lead=1, y=20), o.chunk(lead=1), **options)
    assert lazy.crps.chunks
    xr.testing.assert_allclose(lazy.compute(), eager)


def test_a_protocol():
    catalog = Catalog.synthetic(events=1, size=384, frames=25, variables=["vil"])
    vil = catalog[0]["vil"].load().drop_vars("time")
    observed = vil.isel(time=slice(13, 25)).rename(time="lead")
    still = vil.isel(time=12).expand_dims(lead=12)
    scores = verify(still, observed, protocol="sevir")
    expected = protocol_scores(
        protocol_sums(still, observed, protocol="sevir"), protocol="sevir"
    )
    xr.testing.assert_identical(scores, expected)
    both = verify(
        [{"still": still, "dry": 0 * still}], [observed], protocol=PROTOCOLS["sevir"]
    )
    assert both.csi_m.sel(forecast="still") == scores.csi_m


def test_what_does_not_fit_is_refused():
    f, o = field(0), field(1)
    with pytest.raises(TypeError, match="as many observations as there are cases"):
        verify([f], o)
    with pytest.raises(TypeError, match="both as iterables"):
        verify(f, [o])
    with pytest.raises(ValueError, match="observations end after 1 cases"):
        verify([f, f], [o])
    with pytest.raises(ValueError, match="no case to score"):
        verify([], [])
    with pytest.raises(ValueError, match="no usual thresholds are known"):
        verify(f.rename("snow"), o.rename("snow"))
