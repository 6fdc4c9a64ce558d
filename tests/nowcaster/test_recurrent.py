"""Recurrent networks in a nowcaster: what they learn from, see, keep and refuse."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stormfusion import Catalog, Nowcaster
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows, batch, take
from stormfusion.errors import CatalogError, CheckpointError
from stormfusion.losses import FFL, MSE, WeightedSum
from stormfusion.nn import (
    MIM,
    ConvLSTM,
    MotionRNN,
    PredRNN,
    Recurrent,
    TrajGRU,
    UNet,
)
from stormfusion.nn.teaching import Teacher
from stormfusion.nowcaster import building
from stormfusion.nowcaster.derived import FAST, Deriving, added
from stormfusion.training import Ramp, ScheduledSampling
from stormfusion.training.fabric import make_fabric
from stormfusion.training.loop import validate
from stormfusion.training.plan import Plan, Progress
from stormfusion.training.step import Change, Stepper, reconstructed

SMALL = ConvLSTM(hidden=4, layers=2)
ALL = [
    SMALL,
    TrajGRU(hidden=4, layers=2, links=2, flow_hidden=4),
    PredRNN(hidden=4, layers=2),
    MIM(hidden=4, layers=2),
    MotionRNN(hidden=4, layers=2),
]
FRAMES = {"history": 4, "leads": 3, "device": "cpu"}
TASK = Task(("vil",), "vil", 4, 3, 300, (1e3, 1e3))


def fit(network: Recurrent, catalog: Catalog, **options: object) -> Nowcaster:
    made = Nowcaster(network, loss=FFL(), **FRAMES)
    return made.fit(catalog, epochs=1, batch_size=16, progress=False, **options)


@pytest.fixture(scope="module")
def rolled(storms: Catalog) -> Nowcaster:
    return fit(SMALL, storms)


@pytest.mark.parametrize("network", ALL, ids=lambda spec: spec.name)
def test_each_learns_from_several_variables_and_is_kept(
    network: Recurrent, storms: Catalog, tmp_path: Path
) -> None:
    inputs = ("vil", "ir107", "extrapolation", "motion")
    nowcaster = Nowcaster(network, loss=FFL(), inputs=inputs, **FRAMES)
    nowcaster.fit(storms, epochs=1, batch_size=16, progress=False)
    forecast = nowcaster.predict(storms[0])
    assert forecast.vil.shape == (3, 40, 40)
    assert bool(np.isfinite(forecast.vil).all())
    again = Nowcaster.load(nowcaster.save(tmp_path / "n.safetensors"), device="cpu")
    np.testing.assert_array_equal(again.predict(storms[0]).vil, forecast.vil)
    assert nowcaster.ensemble(storms[0], members=2).dataset.vil.shape == (2, 3, 40, 40)


def test_a_recipe_names_them(storms: Catalog) -> None:
    nowcaster = Nowcaster("convlstm+ffl", history=2, leads=2)
    assert nowcaster.name == "convlstm+ffl"
    assert str(Nowcaster("motionrnn").name) == "motionrnn+mse"


def test_no_motion_comes_first(rolled: Nowcaster) -> None:
    module = rolled._checked().network
    assert module.spec == replace(SMALL, patch=1)


class Told(nn.Module):
    """It tells the same everywhere, and what it was given."""

    reconstructs = True

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.zeros(()))
        self.shown: list[Tensor] = []

    def forward(
        self,
        past: Tensor,
        ahead: Tensor | None = None,
        teacher: Teacher | None = None,
    ) -> Tensor:
        self.past, self.ahead = past, ahead
        frames = 3
        if teacher is not None:
            frames += past.shape[1] - 1
            self.shown.append(teacher.shown)
        return self.number + past.new_zeros(len(past), frames, *past.shape[-2:])


def test_reconstructed_frames_are_learned_from_and_not_validated_on(
    storms: Catalog,
) -> None:
    windows = RandomWindows(list(storms), TASK, size=(40, 40), count=2)
    data = batch([windows[0], windows[1]])
    network, fabric = Told(), make_fabric("cpu", precision="32-true")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0)
    model, optimizer = fabric.setup(network, optimizer)
    loss = WeightedSum.of(MSE())
    stepper = Stepper(fabric, model, optimizer, loss, Plan(), reconstructs=True)
    at = Progress(micro_batch=1)
    found = stepper.step([windows[0], windows[1]], Change(), at, measure=False)
    # it tells 0 everywhere: the loss is the mean square of what is to be told
    told = torch.cat((data.past[:, 1:, 0], data.future), 1)
    assert found == pytest.approx(float(told.square().mean()), rel=1e-5)
    assert all(bool(s[:, :4].all() and not s[:, 4:].any()) for s in network.shown)
    row = validate(model, stepper, windows, at)
    expected = float(data.future.square().mean())
    assert row["validation_loss"] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(float(told.square().mean()), rel=1e-2)


def test_what_is_learned_from_is_all_frames_but_the_first(storms: Catalog) -> None:
    sample = take(storms[0], TASK, 2)
    data = batch([sample])
    data.past[0, 2, :, 3, 5] = torch.tensor([9.0, 0.0])  # a missing pixel
    learned = reconstructed(data)
    assert torch.equal(learned.future[:, :3], data.past[:, 1:, 0])
    assert torch.equal(learned.future[:, 3:], data.future)
    assert not learned.valid[0, 1, 3, 5]
    assert int((~learned.valid[:, :3]).sum()) == 1


def test_a_schedule_shows_frames(storms: Catalog) -> None:
    network = Told()
    sampling = ScheduledSampling(forecast=Ramp(1.0, 1.0), observed=Ramp(0.0, 0.0))
    nowcaster = Nowcaster(network, loss=MSE(), **FRAMES)
    nowcaster.fit(storms, epochs=1, batch_size=16, progress=False, sampling=sampling)
    for shown in network.shown[1:]:  # the first is a trial
        assert shown[:, 0].all()
        assert not shown[:, 1:4].any()
        assert shown[:, 4:].all()


def test_schedules_repeat_and_matter(storms: Catalog, rolled: Nowcaster) -> None:
    one, other = (
        fit(SMALL, storms, sampling=ScheduledSampling.reverse()) for _ in range(2)
    )
    np.testing.assert_array_equal(
        one.predict(storms[0]).vil, other.predict(storms[0]).vil
    )
    assert not np.array_equal(one.predict(storms[0]).vil, rolled.predict(storms[0]).vil)


def test_a_training_with_another_schedule_does_not_go_on(
    storms: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "resume.safetensors"
    fit(SMALL, storms, resume=path, sampling=ScheduledSampling.reverse())
    with pytest.raises(CheckpointError, match="sampling"):
        fit(SMALL, storms, resume=path)
    again = fit(SMALL, storms, resume=path, sampling=ScheduledSampling.reverse())
    assert len(again.log) == 1


def test_the_patch_is_that_of_the_grid_and_is_kept(
    storms: Catalog, tmp_path: Path
) -> None:
    wide = Catalog.synthetic(events=3, size=(24, 170), frames=14, variables=("vil",))
    spec = ConvLSTM(hidden=4, layers=1)
    nowcaster = fit(spec, wide)
    assert building.patch_of(nowcaster._checked().network) == 2
    saved = nowcaster.save(tmp_path / "n.safetensors")
    again = Nowcaster.load(saved, device="cpu")
    assert building.patch_of(again._checked().network) == 2
    forecast, before = (n.predict(wide[0]).vil for n in (again, nowcaster))
    np.testing.assert_array_equal(forecast, before)
    sizes = (160, 161, 320, 321)
    assert [ConvLSTM().sized(n, 100).patch for n in sizes] == [1, 2, 2, 4]
    assert ConvLSTM(patch=3).sized(900, 900).patch == 3


def test_derived_inputs_stand_beside_the_frame_that_they_are_needed_for() -> None:
    task = replace(TASK, derived=("extrapolation", "motion"))
    assert added(task, rolled=True) == {"extrapolation": 2, "motion": 2}
    storm = torch.zeros(1, 4, 2, 40, 40)
    storm[:, :, 1] = 1.0
    grain = torch.rand(12, 12, generator=torch.manual_seed(0))
    for time in range(4):
        storm[0, time, 0, 14:26, 6 + 2 * time : 18 + 2 * time] = 0.4 + 0.4 * grain
    body = Told()
    deriving = Deriving(body, task)
    deriving(storm)
    flat = Deriving(nn.Identity(), task).channels(storm)
    ahead = body.ahead
    assert body.past.shape[2] == 6
    assert ahead.shape == (1, 2, 4, 40, 40)
    # before the last frame nothing is known of the leads
    assert not body.past[:, :3, 2:4].any()
    # the first lead beside the last frame, the second beside the first forecast
    torch.testing.assert_close(body.past[:, 3, 2], flat[:, 0, 0], rtol=0, atol=0)
    torch.testing.assert_close(ahead[:, 0, 0], flat[:, 1, 0], rtol=0, atol=0)
    torch.testing.assert_close(ahead[:, 1, 0], flat[:, 2, 0], rtol=0, atol=0)
    assert ahead[0, 1, 0, 20, 24] > 0.3
    motion = torch.cat((body.past[:, :, 4:], ahead[:, :, 2:]), 1)
    assert torch.equal(motion, motion[:, :1].expand_as(motion))
    assert float(motion[0, 0, 1, 20, 18]) * FAST == pytest.approx(2.0, abs=0.5)


def test_what_is_refused(storms: Catalog) -> None:
    with pytest.raises(ValueError, match="sees its own forecasts of 'vil'"):
        Nowcaster(SMALL, inputs=("ir107",), target="vil", **FRAMES).fit(storms)
    with pytest.raises(ValueError, match="'Told' sees its own forecasts of 'vil'"):
        Nowcaster(Told(), loss=MSE(), inputs=("ir107",), target="vil", **FRAMES).fit(
            storms
        )
    with pytest.raises(ValueError, match="'unet' is none; leave sampling= out"):
        Nowcaster(UNet(width=4, depth=1), **FRAMES).fit(
            storms, sampling=ScheduledSampling()
        )
    with pytest.raises(TypeError, match="wanted a ScheduledSampling"):
        Nowcaster(SMALL, **FRAMES).fit(storms, sampling="reverse")
    short = storms[0].to_dataset(like="vil").isel(time=slice(0, 3))
    with pytest.raises(CatalogError, match="4"):
        fit(SMALL, storms).predict(short)


def test_maps_of_any_size(rolled: Nowcaster, storms: Catalog) -> None:
    event = storms[0].to_dataset(like="vil")[["vil"]]
    small = event.isel(y=slice(0, 7), x=slice(0, 5))
    assert rolled.predict(small).vil.shape == (3, 7, 5)
    with pytest.raises(CatalogError, match="missing"):
        rolled.predict(event.where(event.vil < 0))


class Deaf(Told):
    """It says that it reconstructs, and does not listen to its teacher."""

    def forward(
        self,
        past: Tensor,
        ahead: Tensor | None = None,
        teacher: Teacher | None = None,
    ) -> Tensor:
        return super().forward(past)


def test_a_network_of_ones_own_that_does_not_reconstruct(storms: Catalog) -> None:
    nowcaster = Nowcaster(Deaf(), loss=MSE(), **FRAMES)
    with pytest.raises(ValueError, match=r"with a teacher, .* wanted .* \(1, 6, "):
        nowcaster.fit(storms, epochs=1, progress=False)


def test_other_options_are_another_network(rolled: Nowcaster, tmp_path: Path) -> None:
    path = rolled.save(tmp_path / "rolled.safetensors")
    Nowcaster.load(path, device="cpu", network=SMALL)
    with pytest.raises(CheckpointError, match=r"residual=True.*leave network= out"):
        Nowcaster.load(path, device="cpu", network=replace(SMALL, residual=True))


def test_tuning_shows_what_it_is_told_to(storms: Catalog) -> None:
    with pytest.raises(ValueError, match="'unet' is none; leave sampling= out"):
        Nowcaster("unet", **FRAMES).tune(storms, sampling=ScheduledSampling())
