"""Where training runs: on what the machine has, in the precision it is fast in."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from stormfusion import Catalog, Nowcaster
from stormfusion.nn import UNet
from stormfusion.training import fabric
from stormfusion.training.fabric import channels_last, computes_bfloat16, make_fabric

KINDS = ["cpu", "cuda", "mps"]


def present(kind: str) -> bool:
    return {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_fit_and_predict_on_every_device(kind: str, tmp_path: Path) -> None:
    if not present(kind):
        pytest.skip(f"this machine has no {kind}")
    storms = Catalog.synthetic(events=3, size=32, frames=26, variables=("vil",))
    nowcaster = Nowcaster(UNet(width=4, depth=1), device=kind)
    nowcaster.fit(storms, time_limit=0.01, progress=False)
    assert next(nowcaster.network.parameters()).device.type == kind
    forecast = nowcaster.predict(storms[0]).vil
    assert forecast.notnull().all()
    path = nowcaster.save(tmp_path / "storm.safetensors")
    assert Nowcaster.load(path, device=kind).predict(storms[0]).vil.identical(forecast)
    elsewhere = Nowcaster.load(path, device="cpu").predict(storms[0]).vil
    assert abs(elsewhere - forecast).max() < 0.05
    members = nowcaster.ensemble(storms[0], members=2).values
    assert members.notnull().all()


def test_half_precision_only_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computes_bfloat16.cache_clear()
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert computes_bfloat16("cuda")
    assert not computes_bfloat16("mps")
    for laps, expected in (((0.1, 0.2), False), ((0.2, 0.1), True)):
        computes_bfloat16.cache_clear()
        ticks = [0.0]
        for lap in laps:
            for _ in range(4):
                ticks += [ticks[-1], ticks[-1] + lap]
        clock = iter(ticks[1:])
        with monkeypatch.context() as patch:
            patch.setattr(fabric.time, "perf_counter", lambda c=clock: next(c))
            assert computes_bfloat16("cpu") is expected
    computes_bfloat16.cache_clear()


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_precision_can_be_named(precision) -> None:
    assert make_fabric("cpu", precision=precision)._precision.precision == precision


def test_kernels_are_laid_out_without_changing_them() -> None:
    network = UNet(width=4, depth=1).build(channels=2, history=2, leads=2)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    channels_last(network)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, before[name])
        if weight.ndim == 4:
            assert weight.is_contiguous(memory_format=torch.channels_last)


SCRIPT = """
    import sys
    import torch
    from stormfusion import Catalog, Nowcaster
    from stormfusion.nn import UNet
    from stormfusion.training import AdamHD

    torch.set_num_threads(1)
    storms = Catalog.synthetic(events=3, size=32, frames=26, variables=("vil",))
    adaptive = {"epochs": 1, "optimizer": AdamHD(1e-2)}
    for limit in (adaptive, {"epochs": 1}, {"time_limit": 0.5}):
        nowcaster = Nowcaster(UNet(width=4, depth=1), device="cpu")
        nowcaster.fit(storms, **limit, progress=False)
        weights = torch.cat([p.flatten() for p in nowcaster.network.parameters()])
        both = [torch.zeros_like(weights) for _ in range(2)]
        torch.distributed.all_gather(both, weights.detach())
        assert torch.equal(*both), "weights differ"
        assert weights.abs().sum() > 0
        if limit == {"epochs": 1} and torch.distributed.get_rank() == 0:
            nowcaster.save(sys.argv[1])
    torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_end_with_equal_weights(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(SCRIPT))
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", str(script)]
    path = tmp_path / "storm.safetensors"
    done = subprocess.run(
        [*launch, str(path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    made = Nowcaster.load(path, device="cpu")
    assert made.log["windows"].tolist() == [128]
