"""Windows: integers on the host, numbers on the device, and no look at the future."""

import numpy as np
import pytest
import torch
from tests.data.radar_arrays import LAEA, axis, event, held, minutes, rain, ramp, write
from torch.utils.data import DataLoader

from stormfusion import Catalog
from stormfusion.data.packing import Packing
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import Task
from stormfusion.data.windows import (
    RandomWindows,
    Sample,
    batch,
    principal,
    realize,
    starts,
    take,
    window_size,
)
from stormfusion.errors import CatalogError, CorruptFileError
from stormfusion.grids import Grid

RADAR = ("rain_rate",)
BYTES = Packing("uint8", scale=0.5, offset=-32.0, missing=(255,))


def task(inputs=RADAR, target="rain_rate", history=3, leads=2, **more):
    return Task(tuple(inputs), target, history, leads, 300, (1000.0, 1000.0), **more)


def field(*shape, seed=0, dry=0.3):
    """Rain of up to 60 mm/h in tenths, with dry pixels."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 600, shape) / 10.0
    return np.where(rng.random(shape) < dry, 0.0, values).astype("float32")


def upright(values: np.ndarray) -> np.ndarray:
    """With the first row in the north, where the data's is in the south."""
    return values[..., ::-1, :]


# --------------------------------------------------------------------- starts


def test_starts():
    storm = event(held("rain_rate", ramp(8)))
    assert starts(storm, task()).tolist() == [0, 1, 2, 3]
    assert starts(storm, task(), stride=2).tolist() == [0, 2]
    assert starts(storm, task(leads=6)).tolist() == []
    assert starts(storm, task(target="vil", inputs=("vil",))).tolist() == []
    assert starts(storm, task(inputs=("ir107",), first_lead=0)).tolist() == [*range(5)]


def test_a_gap_breaks_windows_and_shifts_none():
    time = minutes(0, 5, 10, 15, 20, 30, 35, 40, 45, 50)
    storm = event(held("rain_rate", ramp(10), time=time))
    found = starts(storm, task())
    assert found.tolist() == [0, 5]
    value, _ = realize(take(storm, task(), 5).target, "cpu")
    scaled = scaling_for("rain_rate").normalize(ramp(10)[8:])
    np.testing.assert_allclose(value, upright(scaled), rtol=1e-5)


def test_an_irregular_frame_breaks_windows():
    time = minutes(0, 5, 10, 17, 20, 25, 30, 35, 40)
    storm = event(held("rain_rate", ramp(9), time=time))
    assert starts(storm, task()).tolist() == [4]


# ----------------------------------------------------------------------- take


def test_integers_stay_integers():
    storm = event(
        held("rain_rate", field(6, 8, 8)),
        held(
            "reflectivity",
            np.full((6, 4, 4), 64, "uint8"),
            y=axis(4, 2000.0),
            x=axis(4, 2000.0),
            packing=BYTES,
        ),
    )
    sample = take(storm, task(("rain_rate", "reflectivity")), 1)
    assert sample.inputs[0].stored.dtype == torch.int16
    assert sample.inputs[1].stored.dtype == torch.uint8
    assert sample.target.stored.dtype == torch.int16
    assert sample.shape == (8, 8)
    assert sample.history == 3
    data = batch([sample])
    assert data.past.dtype == data.future.dtype == torch.float32
    assert data.valid.dtype == torch.bool


@pytest.mark.parametrize(
    ("dtype", "wider"),
    [("uint16", torch.int32), ("uint32", torch.int64), ("float64", torch.float32)],
)
def test_types_that_devices_lack_become_wider(dtype, wider):
    packing = Packing(dtype if dtype != "float64" else "float32", scale=0.1)
    values = np.arange(6 * 16).reshape(6, 4, 4).astype(dtype)
    storm = event(held("rain_rate", values, packing=packing))
    sample = take(storm, task(), 0)
    assert sample.inputs[0].stored.dtype == wider
    expected = scaling_for("rain_rate").normalize(packing.decode(values)[:3])
    found = batch([sample]).past[0, :, 0]
    np.testing.assert_allclose(found, upright(expected), rtol=1e-5)


def test_stored_numbers_are_not_shared_with_the_source():
    storm = Catalog.synthetic(events=1, size=48, frames=6, variables=("vil",))[0]
    small = Task.infer([storm], history=3, leads=2)
    before = storm["vil"].values.copy()
    sample = take(storm, small, 0)
    sample.inputs[0].stored[:] = 200
    sample.target.stored[:] = 200
    np.testing.assert_array_equal(storm["vil"].values, before)


def test_without_target_no_later_frame_is_read():
    radar = held("rain_rate", field(9, 8, 8))
    infrared = held(
        "ir107",
        field(20, 4, 4),
        time=minutes(*(1 + 2.5 * np.arange(20))),
        y=axis(4, 2000.0),
        x=axis(4, 2000.0),
    )
    lightning = held(
        "lightning",
        field(3, 2, 2),
        time=minutes(0, 15, 30),
        y=axis(2, 4e3),
        x=axis(2, 4e3),
    )
    storm = event(radar, infrared, lightning)
    sample = take(storm, task(("rain_rate", "ir107", "lightning")), 2, target=False)
    assert sample.target is None
    last = radar.time[4]  # the last observed frame, 20 min
    assert radar.last_read == 4
    assert infrared.time[infrared.last_read] <= last
    assert infrared.time[infrared.last_read + 1] > last
    assert lightning.time[lightning.last_read] <= last


def test_with_target_inputs_see_no_later_frame():
    infrared = held("ir107", field(9, 8, 8))
    storm = event(held("rain_rate", field(9, 8, 8)), infrared)
    take(storm, task(("rain_rate", "ir107")), 1)
    assert infrared.last_read == 3


def test_the_crop_of_a_window_looks_at_no_later_frame():
    radar = held("rain_rate", field(5, 64, 64))
    windows = RandomWindows([event(radar)], task(), size=(32, 32), count=9)
    radar.log.clear()
    for number in range(9):
        windows[number]
    for frames, rows, _ in radar.log:
        if rows == slice(None):
            assert frames == slice(2, 3)


def test_changing_the_future_changes_no_input():
    values = field(6, 8, 8)
    other = values.copy()
    other[3:] = 99.0
    for start in (0,):
        one, two = (
            batch([take(event(held("rain_rate", v)), task(), start)])
            for v in (values, other)
        )
        assert torch.equal(one.past, two.past)
        assert not torch.equal(one.future, two.future)


def test_a_window_beyond_the_frames_is_refused():
    storm = event(held("rain_rate", ramp(6)))
    for start in (-1, 2):
        with pytest.raises(IndexError, match="does not lie within the 6 frames"):
            take(storm, task(), start)
    assert take(storm, task(), 3, target=False).history == 3


def test_the_target_must_be_there_to_be_read():
    storm = event(held("ir107", ramp(6)))
    mapping = task(("ir107",), first_lead=0, leads=3)
    with pytest.raises(CatalogError, match="no variable 'rain_rate'"):
        take(storm, mapping, 0)
    assert principal(storm, mapping).variable == "ir107"
    assert batch([take(storm, mapping, 0, target=False)]).future.shape[1] == 0


def test_a_file_shorter_than_its_catalog_says_so():
    radar = held("rain_rate", ramp(6))
    short = type(radar)("rain_rate", radar.time, radar.grid, radar.values[:4])
    with pytest.raises(CorruptFileError, match="1 frames of 'rain_rate' were read"):
        take(event(short), task(), 0)


# -------------------------------------------------------------- several inputs


def sensors(radar, infrared, lightning):
    """1 km north up, 2 km south up with an offset, 8 km south up."""
    return event(
        held("rain_rate", radar, y=axis(16)[::-1]),
        held("ir107", infrared, y=axis(8, 2000.0, -500.0), x=axis(8, 2000.0, 1500.0)),
        held("lightning", lightning, y=axis(2, 8000.0), x=axis(2, 8000.0)),
    )


def infrared_field(holes=True):
    values = -field(6, 8, 8, seed=3, dry=0.0)
    if holes:
        values[:, 2:4, 3] = np.nan
        values[2] = np.nan
    return values


@pytest.mark.parametrize(
    "part", [(slice(0, 16), slice(0, 16)), (slice(3, 9), slice(5, 16))]
)
def test_device_equals_host(part):
    storm = sensors(field(6, 16, 16), infrared_field(), field(6, 2, 2, seed=2))
    names = ("rain_rate", "ir107", "lightning")
    rows, columns = part
    sample = take(storm, task(names), 1, rows=rows, columns=columns)
    past = batch([sample]).past[0]
    host = storm.to_dataset().isel(time=slice(1, 4), y=rows, x=columns)
    for i, name in enumerate(names):
        expected = scaling_for(name).normalize(host[name].values)
        known = np.isfinite(expected)
        np.testing.assert_array_equal(past[:, 2 * i + 1] > 0, known)
        np.testing.assert_allclose(
            past[:, 2 * i], np.where(known, expected, 0.0), rtol=1e-4, atol=1e-5
        )


def test_device_equals_host_where_fine_is_averaged():
    """The mean of rain, not of its logarithm."""
    storm = event(
        held("reflectivity", field(6, 4, 4), y=axis(4, 2000.0), x=axis(4, 2000.0)),
        held("rain_rate", field(6, 8, 8, seed=5)),
    )
    both = Task(("reflectivity", "rain_rate"), "reflectivity", 3, 2, 300, (2e3, 2e3))
    past = batch([take(storm, both, 0)]).past[0]
    host = storm.to_dataset(like="reflectivity").rain_rate[:3].values
    expected = scaling_for("rain_rate").normalize(host)
    np.testing.assert_allclose(past[:, 2], upright(expected), rtol=1e-4, atol=1e-5)
    assert host[0, 0, 0] == pytest.approx(field(6, 8, 8, seed=5)[0, :2, :2].mean())


def test_device_equals_host_through_another_projection():
    degrees = held(
        "ir107",
        -field(6, 40, 50, dry=0.0),
        y=37.0 + 0.05 * np.arange(40),
        x=261.0 + 0.05 * np.arange(50),
        crs="EPSG:4326",
        degrees=True,
    )
    radar = held(
        "rain_rate", field(6, 12, 14), y=axis(12, 5e3), x=axis(14, 5e3), crs=LAEA
    )
    storm = event(radar, degrees)
    sample = take(
        storm, task(("rain_rate", "ir107")), 0, rows=slice(2, 9), columns=slice(1, 9)
    )
    assert sample.inputs[1].stored.shape[1] < 40  # only what is needed is read
    past = batch([sample]).past[0]
    host = storm.to_dataset().ir107[:3, 2:9, 1:9].values
    assert np.isfinite(host).all()
    expected = scaling_for("ir107").normalize(host)
    np.testing.assert_allclose(past[:, 2], upright(expected), rtol=1e-4, atol=1e-5)


def test_only_the_part_under_a_window_is_read():
    other = held("ir107", field(6, 100, 100))
    storm = event(held("rain_rate", field(6, 100, 100)), other)
    sample = take(
        storm, task(("rain_rate", "ir107")), 0, rows=slice(8, 24), columns=slice(4, 20)
    )
    assert other.log == [(slice(0, 3), slice(8, 24), slice(4, 20))]
    assert sample.inputs[1].regridder is None


def test_a_variable_that_is_missing_is_masked():
    names = ("rain_rate", "ir107", "lightning")
    storm = event(
        held("rain_rate", field(6, 8, 8)),
        held("ir107", field(6, 8, 8), x=axis(8, first=1e6)),
    )
    past = batch([take(storm, task(names), 0)]).past[0]
    assert past.shape == (3, 6, 8, 8)
    assert (past[:, 1] == 1).all()
    assert (past[:, 2:] == 0).all()


def test_frames_that_are_missing_are_masked():
    names = ("rain_rate", "ir107")
    late = held("ir107", field(3, 8, 8, dry=0.0), time=minutes(6, 11, 16))
    storm = event(held("rain_rate", field(6, 8, 8)), late)
    past = batch([take(storm, task(names), 0)]).past[0]
    # at 0 and 5 min there is none yet, at 10 min that of 6 min
    assert past[:, 3].flatten(1).mean(1).tolist() == [0.0, 0.0, 1.0]
    expected = scaling_for("ir107").normalize(field(3, 8, 8, dry=0.0)[0])
    np.testing.assert_allclose(past[2, 2], upright(expected), rtol=1e-5, atol=1e-6)
    assert (past[:2, 2] == 0).all()


def test_all_inputs_missing_is_masked():
    storm = event(held("rain_rate", field(6, 8, 8)))
    mapping = task(("ir107",), history=3, leads=3, first_lead=0)
    past = batch([take(storm, mapping, 0)]).past
    assert past.shape == (1, 3, 2, 8, 8)
    assert (past == 0).all()


def test_missing_targets_are_not_valid():
    values = field(6, 8, 8)
    values[3, 2, 2] = np.nan
    data = batch([take(event(held("rain_rate", values)), task(), 0)])
    assert not data.valid[0, 0, 5, 2]
    assert data.valid.sum() == data.valid.numel() - 1
    assert data.future[0, 0, 5, 2] == 0
    assert torch.isfinite(data.future).all()


def test_a_window_without_target_has_an_empty_future():
    data = batch([take(event(held("rain_rate", ramp(6))), task(), 0, target=False)])
    assert data.future.shape == data.valid.shape == (1, 0, 4, 5)
    assert data.valid.dtype == torch.bool


# ------------------------------------------------------------- random windows


def rainy(count=5, size=48, seed=0):
    """Events whose rain lies in the southeast quarter alone."""
    events = []
    for number in range(count):
        values = np.zeros((8, size, size), "float32")
        half = size // 2
        values[:, half:, half:] = field(8, half, half, seed=seed + number)
        events.append(event(held("rain_rate", values), id=f"e{number}"))
    return events


def equal(one: Sample, other: Sample) -> bool:
    stacks = [*zip(one.inputs, other.inputs, strict=True), (one.target, other.target)]
    return one.shape == other.shape and all(
        torch.equal(a.stored, b.stored) and torch.equal(a.present, b.present)
        for a, b in stacks
        if a is not None
    )


def test_windows_depend_on_seed_and_position_alone():
    make = {"size": (16, 16), "count": 12}
    one = RandomWindows(rainy(), task(), **make, seed=3)
    other = RandomWindows(rainy(), task(), **make, seed=3)
    backwards = {i: other[i] for i in reversed(range(12))}
    assert all(equal(one[i], backwards[i]) for i in range(12))
    assert equal(one[500], other[500])
    third = RandomWindows(rainy(), task(), **make, seed=4)
    assert not all(equal(one[i], third[i]) for i in range(12))
    assert len({one[i].inputs[0].stored.numpy().tobytes() for i in range(12)}) > 8


def test_windows_lie_within_and_favour_rain():
    windows = RandomWindows(rainy(), task(), size=(16, 20), count=60)
    wet = []
    for number in range(60):
        sample = windows[number]
        assert sample.shape == (16, 20)
        assert sample.inputs[0].stored.shape == (3, 16, 20)
        wet.append(bool((sample.inputs[0].stored > 0).any()))
    # windows at random would meet rain in two thirds of the cases
    assert np.mean(wet) > 0.9


@pytest.mark.parametrize("shape", [(48, 48), (48, 50), (33, 48), (131, 48)])
def test_windows_of_any_grid(shape):
    storm = event(held("rain_rate", field(5, *shape)))
    size = (33, 48)
    windows = RandomWindows([storm], task(), size=size, count=20)
    assert all(windows[i].shape == size for i in range(20))


def test_windows_where_all_is_missing():
    windows = RandomWindows(
        [event(held("rain_rate", np.full((5, 40, 40), np.nan)))],
        task(),
        size=(16, 16),
        count=2,
    )
    assert not batch([windows[0]]).valid.any()


def test_windows_avoid_what_is_missing():
    values = np.full((5, 64, 64), np.nan)
    values[:, :, 32:] = 0.0
    windows = RandomWindows(
        [event(held("rain_rate", values))], task(), size=(16, 16), count=30
    )
    share = [float(batch([windows[i]]).valid.float().mean()) for i in range(30)]
    assert np.mean(share) > 0.6
    assert min(share) > 0


def test_events_are_drawn_by_their_windows():
    short, long = (
        held("rain_rate", field(5, 32, 32)),
        held("rain_rate", field(44, 32, 32)),
    )
    windows = RandomWindows(
        [event(short, id="short"), event(long, id="long")],
        task(),
        size=(32, 32),
        count=1,
    )
    short.log.clear()
    for number in range(200):
        windows[number]
    # 1 window of 41
    assert len(short.log) / 2 < 20


def test_small_events_are_not_drawn():
    small, large = event(held("rain_rate", field(8, 20, 60))), rainy(1)[0]
    windows = RandomWindows([small, large], task(), size=(32, 32), count=20)
    assert [e.id for e, _ in windows.choices] == [large.id]
    assert all(windows[i].shape == (32, 32) for i in range(20))
    with pytest.raises(
        CatalogError, match="no event is as large as a window of 32 x 32"
    ):
        RandomWindows([small], task(), size=(32, 32), count=1)


def test_short_events_say_so():
    with pytest.raises(CatalogError, match="5 unbroken frames of 'rain_rate'"):
        RandomWindows([event(held("rain_rate", ramp(4)))], task(), size=(4, 4), count=1)


def test_unreadable_events_are_passed_over_and_named():
    broken = event(
        held("rain_rate", field(8, 48, 48), error=CorruptFileError("cut in half")),
        id="broken",
    )
    events = [broken, *rainy(3)]
    windows = RandomWindows(events, task(), size=(16, 16), count=30)
    failed = [windows[i].failed for i in range(30)]
    assert {f for each in failed for f in each} == {("broken", "cut in half")}
    assert any(not each for each in failed)
    strict = RandomWindows(events, task(), size=(16, 16), count=30, strict=True)
    with pytest.raises(CorruptFileError, match="cut in half"):
        list(map(strict.__getitem__, range(30)))
    alone = RandomWindows([broken], task(), size=(16, 16), count=1)
    with pytest.raises(CorruptFileError, match=r"catalog.check\(\) lists all"):
        alone[0]


def test_workers_draw_the_same(tmp_path):
    paths = [
        write(rain(field(7, 24, 24, seed=s), name="rain_rate"), tmp_path / f"r{s}.nc")
        for s in range(2)
    ]
    catalog = Catalog.open(paths)
    windows = RandomWindows(list(catalog), task(), size=(16, 16), count=8)
    here = [windows[i] for i in range(8)]
    loader = DataLoader(windows, batch_size=2, num_workers=2, collate_fn=list)
    there = [sample for samples in loader for sample in samples]
    assert len(there) == 8
    assert all(equal(a, b) for a, b in zip(here, there, strict=True))


def test_window_size():
    events = [
        event(held("rain_rate", np.zeros((2, 100, 31)))),
        event(held("rain_rate", np.zeros((2, 70, 300)))),
    ]
    assert window_size(events, task()) == (64, 31)
    assert window_size(events, task(), largest=48) == (48, 31)


def test_grids_of_the_target_part():
    storm = event(held("rain_rate", field(5, 8, 8)))
    whole = Grid(axis(8), axis(8))
    assert storm.stored("rain_rate").grid.same_as(whole)


@pytest.mark.parametrize("order", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize(
    "part", [(slice(0, 12), slice(0, 14)), (slice(2, 9), slice(5, 11))]
)
def test_a_network_sees_one_map_however_rows_and_columns_run(order, part):
    """North in the first row, west in the first column, whatever the data's order."""
    flip = np.s_[:, :: order[0], :: order[1]]
    rain, infrared = field(6, 12, 14), -field(6, 6, 7, seed=3, dry=0.0)
    y, x = axis(12)[::-1], axis(14)  # as a map is read
    storm = event(
        held("rain_rate", rain[flip], y=y[:: order[0]], x=x[:: order[1]]),
        held("ir107", infrared, y=axis(6, 2000.0)[::-1], x=axis(7, 2000.0)),
    )
    north = event(
        held("rain_rate", rain, y=y, x=x),
        held("ir107", infrared, y=axis(6, 2000.0)[::-1], x=axis(7, 2000.0)),
    )
    rows, columns = part
    mirrored = [
        slice(size - span.stop, size - span.start) if turn < 0 else span
        for span, size, turn in zip(part, (12, 14), order, strict=True)
    ]
    both = task(("rain_rate", "ir107"))
    wanted = batch([take(north, both, 0, rows=rows, columns=columns)])
    found = batch([take(storm, both, 0, rows=mirrored[0], columns=mirrored[1])])
    torch.testing.assert_close(found.past, wanted.past)
    assert torch.equal(found.future, wanted.future)
    assert torch.equal(found.valid, wanted.valid)
