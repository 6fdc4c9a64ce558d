"""The training loop: learns, repeats, resumes, stops, and leaves its best weights."""

import functools
import json
import math
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import Tensor, nn

from stormfusion import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import Batch, RandomWindows, Sample, batch
from stormfusion.errors import CatalogError
from stormfusion.losses import GDL, MSE, SSIM, WeightedSum
from stormfusion.nn import UNet
from stormfusion.nowcaster.building import build
from stormfusion.training import AdamHD, AdamW, HypergradientAdam
from stormfusion.training.fabric import make_fabric
from stormfusion.training.loop import train
from stormfusion.training.plan import Plan, Progress
from stormfusion.training.step import GAIN, Change, Stepper, change_at, changed

SPEC = UNet(width=4, depth=1)
LOSS = WeightedSum.of(MSE())


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.synthetic(events=3, size=32, frames=14, variables=("vil",), seed=2)


def windows_of(catalog: Catalog, count: int = 16, **options: Any) -> RandomWindows:
    task = Task.infer(list(catalog), history=4, leads=3)
    options = {"size": (32, 32), "seed": 0, **options}
    return RandomWindows(list(catalog), task, count=count, **options)


@pytest.fixture
def windows(catalog: Catalog) -> RandomWindows:
    return windows_of(catalog)


def fresh(windows: RandomWindows, seed: int = 0) -> nn.Module:
    return build(SPEC, windows.task, seed)


def run(
    network: nn.Module,
    windows: RandomWindows,
    validation: RandomWindows | None = None,
    *,
    loss: WeightedSum = LOSS,
    precision: str = "32-true",
    store: Any = None,
    **plan: Any,
) -> Progress:
    plan = {"epochs": 2, "batch_size": 4, **plan}
    fabric = make_fabric("cpu", precision=precision)
    return train(
        network,
        loss,
        windows,
        validation,
        Plan(**plan),
        fabric=fabric,
        progress=False,
        store=store,
    )


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class Memory:
    """Keeps a training, as a file does."""

    def __init__(self) -> None:
        self.held: Any = None

    def read(self) -> Any:
        return self.held

    def write(self, tensors: dict[str, Tensor], progress: dict[str, Any]) -> None:
        import copy

        clones = {name: tensor.clone() for name, tensor in tensors.items()}
        self.held = (clones, copy.deepcopy(progress))


def test_the_loss_goes_down(windows: RandomWindows) -> None:
    at = run(fresh(windows), windows, epochs=8, learning_rate=5e-3, augment=False)
    curve = at.table()
    assert curve["loss"].iloc[-1] < 0.9 * curve["loss"].iloc[0]
    assert curve["epoch"].tolist() == list(range(1, 9))
    assert {"loss", "learning_rate", "windows", "micro_batch", "seconds"} <= set(curve)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_seed_gives_the_same_weights(windows: RandomWindows, precision: str) -> None:
    loss = MSE() + SSIM()
    one, other, third = (fresh(windows) for _ in range(3))
    logs = [run(net, windows, loss=loss, precision=precision) for net in (one, other)]
    assert same(one, other)
    assert logs[0].rows[-1]["loss"] == logs[1].rows[-1]["loss"]
    run(third, windows, loss=loss, precision=precision, seed=1)
    assert not same(one, third)


def test_half_precision_follows_the_same_curve(windows: RandomWindows) -> None:
    losses = [
        run(fresh(windows), windows, precision=precision, epochs=4).table()["loss"]
        for precision in ("32-true", "bf16-mixed")
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)


@pytest.mark.parametrize(
    ("after", "optimizer"),
    [
        (1, AdamW()),
        (2, AdamW()),
        (1, AdamHD(1e-2)),
        (2, functools.partial(torch.optim.SGD, momentum=0.9)),
    ],
)
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch, after: int, optimizer: Any
) -> None:
    validation, memory = windows_of_seed(windows, 7), Memory()
    options: Any = {"loss": MSE() + SSIM(), "epochs": 3, "optimizer": optimizer}
    whole, resumed = fresh(windows), fresh(windows)
    expected = run(whole, windows, validation, **options)
    plain, count = Stepper.step, 0

    def interrupted(self: Stepper, *args: Any, **options: Any) -> float:
        nonlocal count
        count += 1
        if count == 4 * after + 3:
            raise KeyboardInterrupt
        return plain(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(resumed, windows, validation, store=memory, **options)
    assert memory.held[1]["epoch"] == after
    memory.held[1]["rates"] = json.loads(json.dumps(memory.held[1]["rates"]))
    found = run(fresh(windows), windows, validation, store=memory, **options)
    again = fresh(windows)
    again.load_state_dict(named(memory.held[0], "best."))
    assert same(again, whole)
    for ours, theirs in zip(found.rows, expected.rows, strict=True):
        assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_a_rate_that_adapts_is_left_alone(windows: RandomWindows) -> None:
    logs = [
        run(fresh(windows), windows, epochs=3, optimizer=optimizer).table()
        for optimizer in (AdamW(), AdamHD(0.0), AdamHD(1e-2), AdamHD(1e-2))
    ]
    rates = [log["learning_rate"].tolist() for log in logs]
    assert rates[0] == sorted(rates[0], reverse=True)
    assert rates[1] == [1e-3] * 3
    assert len({1e-3, *rates[2]}) == 4
    assert rates[3] == rates[2]
    assert min(rates[2]) >= 1e-5


def test_the_class_itself_is_an_optimizer_too(windows: RandomWindows) -> None:
    one, other = fresh(windows), fresh(windows)
    run(one, windows, optimizer=AdamHD(1e-2))
    made = functools.partial(HypergradientAdam, hypergradient_rate=1e-2)
    run(other, windows, optimizer=made)
    assert same(one, other)


def named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def windows_of_seed(windows: RandomWindows, seed: int) -> RandomWindows:
    events = [event for event, _ in windows.choices]
    return RandomWindows(events, windows.task, size=(32, 32), count=8, seed=seed)


def test_a_training_that_is_done_is_not_done_again(windows: RandomWindows) -> None:
    memory, first, second = Memory(), fresh(windows), fresh(windows, seed=5)
    run(first, windows, store=memory)
    steps = memory.held[1]["step"]
    assert run(second, windows, store=memory).step == steps
    assert same(first, second)


def test_an_interruption_leaves_the_best_weights(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, memory, plain = fresh(windows), Memory(), Stepper.step

    def interrupted(self: Stepper, *args: Any, **options: Any) -> float:
        if args[2].step == 6:
            raise KeyboardInterrupt
        return plain(self, *args, **options)

    monkeypatch.setattr(Stepper, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(network, windows, store=memory)
    best = named(memory.held[0], "best.")
    assert all(torch.equal(best[k], v) for k, v in network.state_dict().items())


def scripted(monkeypatch: pytest.MonkeyPatch, scores: list[float]) -> list[Any]:
    """Let validation say these losses, and keep the weights it saw."""
    left, seen = iter(scores), []

    def validate(model: Any, *args: Any) -> dict[str, float]:
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return {"validation_loss": next(left), "csi": 0.5}

    monkeypatch.setattr("stormfusion.training.loop.validate", validate)
    return seen


def test_the_best_weights_come_back(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = fresh(windows)
    seen = scripted(monkeypatch, [3.0, 1.0, 2.0, 2.5])
    at = run(network, windows, windows, epochs=4)
    assert at.best == 1.0
    best = network.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(seen[1].values(), best, strict=True))
    assert not torch.equal(next(iter(seen[3].values())), next(iter(best)))


def test_training_ends_when_nothing_gets_better(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [3.0, 1.0, 1.0, 2.0, math.nan, 0.5])
    at = run(fresh(windows), windows, windows, epochs=8, patience=3)
    assert at.epoch == 5
    assert at.table()["validation_loss"].tolist()[:4] == [3.0, 1.0, 1.0, 2.0]


def test_training_does_not_end_before_the_learning_rate_has_come_down(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [1.0, *[2.0] * 11])
    at = run(fresh(windows), windows, windows, epochs=12, patience=3)
    assert at.epoch == 7
    assert at.stale == 6


def test_a_time_limit_trains_something_and_ends(windows: RandomWindows) -> None:
    network = fresh(windows)
    at = run(network, windows, windows, epochs=100_000, time_limit=1e-6)
    assert at.step == 1
    assert len(at.rows) == 1
    assert not same(network, fresh(windows))


def test_a_time_limit_ends_within_an_epoch(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(np.arange(0.0, 1e6, 1.0))
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    at = run(fresh(windows), windows, epochs=100_000, time_limit=24.0)
    assert 4 < at.step < 12
    assert at.rows[-1]["learning_rate"] < 3e-4  # it came down as the time ran out


def test_a_time_limit_leaves_time_for_the_first_validation(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    for validation in (None, windows):
        clock = iter(np.arange(0.0, 1e6, 1.0))
        monkeypatch.setattr("time.monotonic", lambda c=clock: float(next(c)))
        at = run(fresh(windows), windows, validation, epochs=9, time_limit=12.0)
        steps.append(at.rows[0]["windows"])
    assert 0 < steps[1] < steps[0]


class Greedy(nn.Module):
    """A network that more than two windows do not fit into."""

    def __init__(self, body: nn.Module, most: int = 2) -> None:
        super().__init__()
        self.body, self.most = body, most
        self.sizes: list[int] = []

    def forward(self, past: Tensor) -> Tensor:
        self.sizes.append(len(past))
        if len(past) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        forecast: Tensor = self.body(past)
        return forecast


def stepper(network: nn.Module, loss: WeightedSum) -> tuple[Stepper, Any]:
    fabric = make_fabric("cpu", precision="32-true")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    model, optimizer = fabric.setup(network, optimizer)
    return Stepper(fabric, model, optimizer, loss, Plan(clip=1e9)), model


def gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def gappy() -> Catalog:
    """Storms in which one event in two misses half its pixels, another nearly all."""
    events = Catalog.synthetic(events=3, size=32, frames=14, variables=("vil",))
    found = []
    for number, event in enumerate(events):
        vil = event["vil"].load()
        vil[..., : 14 * number] = np.nan
        found.append(Catalog.from_xarray(vil.to_dataset(), prefix=f"gap{number}"))
    return found[0] | found[1] | found[2]


@pytest.mark.parametrize("gaps", [False, True])
def test_out_of_memory_takes_smaller_parts_and_the_same_step(
    catalog: Catalog, gaps: bool
) -> None:
    # with gaps a part weighs as many pixels as it holds, which is exact for means
    # over pixels; without them any mean is
    windows = windows_of(gappy() if gaps else catalog)
    loss = LOSS if gaps else MSE() + 0.5 * GDL() + 0.1 * SSIM()
    samples = [windows[i] for i in range(7)]
    whole, parted = fresh(windows), Greedy(fresh(windows))
    progress = Progress(micro_batch=8), Progress(micro_batch=8)
    values = [
        stepper(net, loss)[0].step(
            samples, Change(True, False, True), at, measure=False
        )
        for net, at in zip((whole, parted), progress, strict=True)
    ]
    assert progress[0].micro_batch == 8
    assert progress[1].micro_batch == 2
    assert parted.sizes == [7, 4, 2, 2, 2, 1]
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    for a, b in zip(gradients(whole), gradients(parted), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-6)


def test_what_never_fits_is_an_error(windows: RandomWindows) -> None:
    network, at = Greedy(fresh(windows), most=0), Progress(micro_batch=4)
    made, _ = stepper(network, LOSS)
    with pytest.raises(torch.OutOfMemoryError):
        made.step([windows[0]], Change(), at, measure=False)
    assert at.micro_batch == 1


def test_other_errors_are_not_taken_for_memory(windows: RandomWindows) -> None:
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, past: Tensor) -> Tensor:
            raise RuntimeError("shapes do not fit")

    made, _ = stepper(Broken(), LOSS)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        made.step([windows[0]], Change(), Progress(micro_batch=4), measure=False)


def test_a_loss_that_is_not_finite_is_an_error(windows: RandomWindows) -> None:
    network = fresh(windows)
    with torch.no_grad():
        next(network.parameters()).fill_(torch.nan)
    made, _ = stepper(network, LOSS)
    with pytest.raises(FloatingPointError, match="the loss is nan in step 0, wanted"):
        made.step([windows[0]], Change(), Progress(micro_batch=4), measure=False)


def spoilt(sample: Batch) -> Iterator[Batch]:
    for value in (0.0, 0.7, math.nan):
        future = torch.where(sample.valid, sample.future, value)
        yield Batch(sample.past, future, sample.valid)


def test_missing_pixels_weigh_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    windows = windows_of(gappy())
    samples = [windows[i] for i in range(4)]
    data = batch(samples)
    assert 0 < data.valid.float().mean() < 1
    found = []
    for variant in spoilt(data):
        network = fresh(windows)
        made, _ = stepper(network, MSE() + 0.1 * SSIM() + 0.1 * GDL())
        with monkeypatch.context() as patch:
            patch.setattr("stormfusion.training.step.batch", lambda *_, v=variant: v)
            made.step(samples, Change(), Progress(micro_batch=4), measure=False)
        found.append(gradients(network))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.equal(a, b)


def missing(catalog: Catalog) -> Catalog:
    vil = catalog[0]["vil"].load()
    return Catalog.from_xarray((vil * np.nan).assign_attrs(vil.attrs).to_dataset())


def test_a_catalog_that_is_all_missing(catalog: Catalog) -> None:
    nothing = windows_of(missing(catalog))
    with pytest.raises(
        CatalogError, match=r"every pixel of 'vil' .* catalog.check\(\)"
    ):
        run(fresh(nothing), nothing)
    windows = windows_of(catalog)
    with pytest.raises(CatalogError, match=r"in validation is missing; give other"):
        run(fresh(windows), windows, nothing)


def test_the_weights_of_balanced_terms_are_logged(windows: RandomWindows) -> None:
    at = run(fresh(windows), windows, windows, loss=MSE() + SSIM() + 0.1 * GDL())
    curve = at.table()
    assert (curve["weight_ssim"] > 0).all()
    assert "weight_gdl" not in curve
    assert at.reference == {"ssim": curve["weight_ssim"][0]}
    assert at.weights["ssim"] == curve["weight_ssim"].iloc[-1]


def test_validation_losses_compare_whatever_the_weights(
    windows: RandomWindows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weight that shrinks is no better forecast."""
    weights = chain([1.0, 1e-3, 1e-6], repeat(1e-9))
    monkeypatch.setattr(
        "stormfusion.training.step.balance", lambda *_: {"ssim": next(weights)}
    )
    at = run(
        fresh(windows),
        windows,
        windows,
        loss=MSE() + SSIM(),
        epochs=3,
        learning_rate=1e-9,
    )
    losses = at.table()["validation_loss"]
    assert losses.std() < 1e-3 * losses.mean()
    assert at.weights["ssim"] < 0.2


def test_turning_turns_past_and_future_alike() -> None:
    y, x = torch.meshgrid(torch.arange(5.0), torch.arange(5.0), indexing="ij")
    field = 10 * y + x
    data = Batch(
        field.expand(2, 4, 3, 5, 5),
        field.expand(2, 3, 5, 5),
        field.expand(2, 3, 5, 5) > 12,
    )
    views = set()
    for number in range(8):
        change = Change(bool(number & 1), bool(number & 2), bool(number & 4))
        made = changed(data, change)
        assert (made.past == made.future[:, :1, None]).all()
        assert torch.equal(made.valid[0, 0], made.future[0, 0] > 12)
        views.add(tuple(made.future[0, 0].flatten().tolist()))
    assert len(views) == 8
    oblong = Batch(*(t[..., :3] for t in (data.past, data.future, data.valid)))
    assert changed(oblong, Change(swap=True)).past.shape == oblong.past.shape


def test_a_gain_is_of_the_target_alone_past_and_future() -> None:
    past, future = torch.rand(2, 4, 6, 5, 5), torch.rand(2, 3, 5, 5)
    made = changed(Batch(past, future, future > 0.5), Change(gain=1.25))
    assert torch.equal(made.past[:, :, 0], 1.25 * past[:, :, 0])
    assert torch.equal(made.past[:, :, 1:], past[:, :, 1:])
    assert torch.equal(made.future, 1.25 * future)
    assert torch.equal(made.valid, future > 0.5)


def test_changes_are_of_every_kind_and_the_same_again() -> None:
    drawn = [
        [change_at(torch.Generator().manual_seed(s), stronger=True) for s in range(99)]
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert len({change[:3] for change in drawn[0]}) == 8
    gains = [math.log(change.gain) for change in drawn[0]]
    assert max(map(abs, gains)) <= GAIN
    assert min(gains) < -0.8 * GAIN < 0.8 * GAIN < max(gains)
    plain = change_at(torch.Generator().manual_seed(0), stronger=False)
    assert plain.gain == 1.0


def test_an_event_that_cannot_be_read_is_named(catalog: Catalog) -> None:
    class Damaged:
        def __init__(self, frames: Any) -> None:
            self.frames = frames

        def __getattr__(self, name: str) -> Any:
            return getattr(self.frames, name)

        def read(self, *args: Any) -> Any:
            raise OSError("truncated")

    from stormfusion import Event

    bad = Event(catalog[0].id, {"vil": Damaged(catalog[0].frames["vil"])})
    mixed = Catalog([bad, *catalog[1:]])
    windows = windows_of(mixed)
    assert run(fresh(windows), windows, epochs=1).failed == {bad.id: "truncated"}
    strict = windows_of(mixed, strict=True)
    with pytest.raises(OSError, match="truncated"):
        run(fresh(strict), strict, epochs=1)


def test_the_progress_bar_says_loss_and_csi(windows: RandomWindows, capsys) -> None:
    network = fresh(windows)
    run(network, windows, windows, epochs=1)
    assert capsys.readouterr() == ("", "")
    train(
        network,
        LOSS,
        windows,
        windows,
        Plan(epochs=1, batch_size=4),
        fabric=make_fabric("cpu", precision="32-true"),
        progress=True,
    )
    printed = capsys.readouterr().err
    assert "fit: 100%" in printed
    assert "loss 0." in printed
    assert "CSI 0." in printed


def test_large_batches_do_not_skip_windows(windows: RandomWindows) -> None:
    seen: list[int] = []

    class Counted(RandomWindows):
        def __getitem__(self, index: int) -> Sample:
            seen.append(index)
            return super().__getitem__(index)

    events = [event for event, _ in windows.choices]
    counted = Counted(events, windows.task, size=(32, 32), count=16)
    run(fresh(windows), counted, batch_size=5, epochs=2)
    assert seen == list(range(2 * 15))


def test_the_curves_are_a_table(windows: RandomWindows) -> None:
    table = run(fresh(windows), windows, windows, epochs=1).table()
    assert isinstance(table, pd.DataFrame)
    assert table["validation_loss"].notna().all()
    assert isinstance(xr.Dataset.from_dataframe(table), xr.Dataset)
