from functools import cache
from typing import Any

import numpy as np
import pytest

from stormfusion.data.storms import DRY, NO_ECHO, StormWorld
from stormfusion.data.weather import MODES, Array, Weather

VARIABLES = (
    "rain_rate",
    "vil",
    "reflectivity",
    "ir107",
    "ir069",
    "vis",
    "lightning",
)
SEEDS = range(12)


@cache
def world(seed: int, frames: int = 25) -> StormWorld:
    return StormWorld(seed, frames=frames)


@cache
def rain_rate(seed: int) -> Array:
    rain = world(seed).rain_rate()
    rain.flags.writeable = False
    return rain


def seeds_of(mode: str, number: int) -> list[int]:
    return [seed for seed in range(200) if Weather.of(seed).mode == mode][:number]


def csi(forecast: Array, observed: Array) -> float:
    f, o = forecast >= 1.0, observed >= 1.0
    return float((f & o).sum() / max((f | o).sum(), 1))


def shifted(field: Array, dy: int, dx: int) -> Array:
    moved = np.zeros_like(field)
    rows, columns = field.shape
    moved[max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)] = field[
        max(-dy, 0) : rows + min(-dy, 0), max(-dx, 0) : columns + min(-dx, 0)
    ]
    return moved


def lagged(leader: Array, follower: Array, lags: range) -> list[float]:
    """Correlations of `leader` with `follower` some frames later."""
    n = len(leader)
    return [
        float(
            np.corrcoef(
                leader[max(-lag, 0) : n - max(lag, 0)].ravel(),
                follower[max(lag, 0) : n - max(-lag, 0)].ravel(),
            )[0, 1]
        )
        for lag in lags
    ]


@pytest.mark.parametrize("variable", VARIABLES)
def test_same_seed_same_storms(variable: str) -> None:
    first = StormWorld(7, shape=(40, 56), frames=3)
    second = StormWorld(7, shape=(40, 56), frames=3)
    second.lightning()
    second.ir069()
    assert first == second
    assert hash(first) == hash(second)
    np.testing.assert_array_equal(
        getattr(first, variable)(), getattr(second, variable)()
    )


def test_seeds_differ() -> None:
    assert not np.array_equal(rain_rate(0), rain_rate(1))


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("seed", [0, 1])
def test_more_frames_leave_the_earlier_ones_as_they_are(
    variable: str, seed: int
) -> None:
    # 900 s: the longer event has more epochs of storms.
    short = StormWorld(seed, shape=(48, 64), frames=8, interval=900.0)
    long = StormWorld(seed, shape=(48, 64), frames=20, interval=900.0)
    np.testing.assert_array_equal(
        getattr(short, variable)(), getattr(long, variable)()[:8]
    )


def test_no_cloud_of_a_later_epoch_reaches_back() -> None:
    for mode in MODES.values():
        assert mode.life / 2 + (15 + 0.08 * 90) * 60 < 7200


@pytest.mark.parametrize("shape", [(32, 32), (33, 50), (128, 40)])
def test_shapes(shape: tuple[int, int]) -> None:
    event = StormWorld(5, shape=shape, frames=1)
    for variable in VARIABLES:
        factor = {"ir107": 2, "ir069": 2, "lightning": 8}.get(variable, 1)
        field = getattr(event, variable)()
        assert field.shape == (1, *(-(-n // factor) for n in shape))
        assert field.dtype == np.float32
        assert np.isfinite(field).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_rain_is_sparse_and_heavy_tailed(seed: int) -> None:
    rain = rain_rate(seed)
    assert np.isfinite(rain).all()
    assert (rain[rain > 0] >= DRY).all()
    assert 0.002 < (rain > 0).mean() < 0.95
    assert (rain >= 30).mean() < 0.03
    assert rain.max() < 150


def test_rain_over_many_events() -> None:
    wet = [(rain_rate(seed) > 0).mean() for seed in SEEDS]
    assert 0.1 < np.median(wet) < 0.5
    assert np.mean([w > 0.7 for w in wet]) <= 0.2
    maxima = [rain_rate(seed).max() for seed in SEEDS]
    assert np.mean([40 <= m <= 150 for m in maxima]) >= 0.6
    rates = np.concatenate([rain_rate(seed)[rain_rate(seed) > 0] for seed in SEEDS])
    assert 10 < np.quantile(rates, 0.99) / np.median(rates) < 100


def test_dry_is_exactly_zero_and_dry_events_exist() -> None:
    (seed,) = seeds_of("nearly dry", 1)
    rain = StormWorld(seed, frames=5).rain_rate()
    assert (rain == 0).mean() > 0.85


def test_every_mode_comes_up() -> None:
    modes = [Weather.of(seed).mode for seed in range(100)]
    assert {m: modes.count(m) > 2 for m in MODES} == dict.fromkeys(MODES, True)


def test_moving_the_rain_beats_leaving_it_and_is_not_all() -> None:
    still, moved = [], []
    for seed in (0, 1, 2, 6, 7, 9):
        rain = rain_rate(seed)
        weather = world(seed).weather
        u = weather.speed * np.cos(weather.heading)
        v = weather.speed * np.sin(weather.heading)
        dy, dx = round(1.8 * v), round(1.8 * u)  # pixels in 30 minutes
        for i in range(0, 18, 6):
            still.append(csi(rain[i], rain[i + 6]))
            moved.append(csi(shifted(rain[i], dy, dx), rain[i + 6]))
    assert np.mean(moved) > np.mean(still) + 0.05
    assert np.mean(moved) < 0.75


def test_storms_grow_and_decay() -> None:
    change = []
    for seed in seeds_of("isolated cells", 4):
        total = rain_rate(seed).sum((1, 2))
        change += list(np.diff(total[::6]) / total.mean())
    assert max(change) > 0.2
    assert min(change) < -0.2


def test_new_cells_are_triggered_right_of_the_motion() -> None:
    cells = world(seeds_of("multicell clusters", 1)[0]).population.cells
    middle = cells.birth + 0.375 * cells.life
    x, y = (
        cells.x + cells.u * (middle - cells.birth),
        cells.y + cells.v * (middle - cells.birth),
    )
    delay = cells.birth[None, :] - middle[:, None]
    east, north = cells.x[None, :] - x[:, None], cells.y[None, :] - y[:, None]
    near = (delay > 0) & (delay < 600) & (np.hypot(east, north) < 11e3)
    near &= np.hypot(east, north) > 5e3
    right = (east * cells.v[:, None] - north * cells.u[:, None])[near]
    assert len(right) > 20
    assert (right > 0).mean() > 0.7


def test_infrared_cools_before_the_rain() -> None:
    lags = range(-6, 10)
    scores = []
    for seed in seeds_of("isolated cells", 4):
        event = world(seed)
        cold = event.ir107().reshape(25, 8, 8, 8, 8).mean((2, 4))
        rain = rain_rate(seed).reshape(25, 8, 16, 8, 16).mean((2, 4))
        cooling = np.maximum(cold[:-1] - cold[1:], 0)
        scores.append(lagged(cooling, rain[1:], lags))
    best = lags[int(np.argmax(np.mean(scores, 0)))]
    assert 1 <= best <= 6


def test_satellite_ranges() -> None:
    for seed in (0, 1, 3):
        event = world(seed)
        ir107, ir069, vis = event.ir107(), event.ir069(), event.vis()
        assert ir107.min() > -85
        assert ir107.min() < -55
        assert 8 < np.quantile(ir107, 0.999) < 26
        assert ir069.max() < -15
        assert np.quantile(ir069, 0.9) < np.quantile(ir107, 0.9)
        assert vis.min() >= 0
        assert vis.max() <= 1
        wet = rain_rate(seed) > 5
        assert vis[wet].mean() > vis[~wet].mean() + 0.05
        fine = np.kron(ir107, np.ones((1, 2, 2)))
        assert fine[wet].mean() < fine[~wet].mean() - 15


def test_lightning_counts_the_flashes_that_lead_up_to_a_frame() -> None:
    event = world(0)
    flashes, counts = event.lightning_flashes(), event.lightning()
    assert len(flashes) > 100
    seconds, y, x = flashes.T
    frame = np.ceil(seconds / event.interval).astype(int)
    assert frame.min() >= 0
    assert frame.max() < event.frames
    binned = np.zeros_like(counts)
    np.add.at(binned, (frame, (y // 8000).astype(int), (x // 8000).astype(int)), 1)
    np.testing.assert_array_equal(counts, binned)


def test_lightning_is_in_cores_and_not_after_them() -> None:
    lags = range(-5, 6)
    scores, dbz = [], []
    for seed in seeds_of("isolated cells", 5) + seeds_of("multicell clusters", 3):
        event = world(seed)
        flashes = event.lightning_flashes()
        frame = np.ceil(flashes[:, 0] / event.interval).astype(int)
        row, column = (flashes[:, 1:] // event.spacing).astype(int).T
        dbz.append(event.reflectivity()[frame, row, column])
        heavy = np.maximum(rain_rate(seed) - 20, 0).sum((1, 2))
        rate = np.bincount(frame, minlength=25)
        if rate.sum() > 50:
            scores.append(lagged(rate.astype(float), heavy, lags))
    assert lags[int(np.argmax(np.mean(scores, 0)))] >= 0
    echo = np.concatenate(dbz)
    assert (echo > 35).mean() > 0.9
    assert (echo == NO_ECHO).mean() < 0.01


def test_no_lightning_in_dry_weather() -> None:
    event = world(seeds_of("nearly dry", 1)[0])
    assert event.lightning().sum() <= 2


@pytest.mark.parametrize("seed", [0, 5])
def test_vil_and_reflectivity_follow_from_rain(seed: int) -> None:
    event, rain = world(seed), rain_rate(seed)
    wet = rain > 0
    vil, echo = event.vil(), event.reflectivity()
    assert (vil[~wet] == 0).all()
    assert (echo[~wet] == NO_ECHO).all()
    depth = vil[wet] / (0.0710 * rain[wet] ** 0.914)
    assert depth.min() > 3.99
    assert depth.max() < 10
    np.testing.assert_allclose(
        10 ** (echo[wet] / 10), 200 * rain[wet] ** 1.6, rtol=1e-3
    )


def test_strong_cores_are_deep() -> None:
    assert 30 < max(world(seed).vil().max() for seed in (0, 1, 3)) < 75


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"seed": -1}, ValueError, "seed is -1, wanted 0 or more"),
        ({"seed": 1.5}, TypeError, "seed is 1.5, wanted a whole number"),
        ({"seed": True}, TypeError, "seed is True"),
        ({"frames": 0}, ValueError, "frames is 0, wanted 1 or more"),
        ({"frames": 2.0}, TypeError, "frames is 2.0, wanted a whole number"),
        ({"shape": 64}, ValueError, "shape is 64, wanted a tuple of two"),
        ({"shape": (64,)}, ValueError, "wanted a tuple of two"),
        ({"shape": (64, 4)}, ValueError, r"shape\[1\] is 4, wanted 8 or more"),
        ({"shape": (64.0, 64)}, TypeError, r"shape\[0\] is 64.0"),
        ({"interval": 0}, ValueError, "give it in seconds"),
        ({"interval": float("nan")}, ValueError, "interval is nan"),
        ({"spacing": -1000.0}, ValueError, "give it in meters"),
        ({"spacing": "1 km"}, ValueError, "spacing is '1 km'"),
    ],
)
def test_wrong_arguments(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        StormWorld(**{"seed": 0, **arguments})


def test_a_world_is_immutable() -> None:
    event = world(0)
    with pytest.raises(AttributeError):
        event.seed = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        event.population.cells.peak[0] = 0.0


def test_numpy_integers_are_seeds() -> None:
    assert StormWorld(np.int64(3)) == StormWorld(3)  # type: ignore[arg-type]
