import hashlib
import http.server
import importlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stormfusion.errors import WeightsError
from stormfusion.nn import imagenet, pretrained

SQUEEZE = "squeezenet1_1-b8a52dc0.pth"


class Code:
    """What runs when it is unpickled."""

    def __reduce__(self):
        return os.system, ("echo ran",)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in the place of torchvision's cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "home" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    yield folder
    imagenet._vgg.cache_clear()
    imagenet._lpips.cache_clear()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> str:
    """A network without the page."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{SQUEEZE}"
    monkeypatch.setattr(pretrained, "_url", lambda net: url)
    return url


def made(net: str = "squeeze", *, seed: int = 0, prefix: str = "features.") -> dict:
    """Weights as torchvision saves those of a whole network."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        prefix + name: torch.rand(tensor.shape, generator=generator)
        for name, tensor in imagenet.trunk(net, "random").state_dict().items()
    }
    return tensors | {"classifier.1.weight": torch.zeros(2)}


def test_the_default_is_torchvisions_cache(cache: Path, monkeypatch) -> None:
    def forbidden(*_, **__):
        raise AssertionError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", forbidden)
    assert imagenet.place("squeeze") == cache / SQUEEZE
    assert not imagenet.available("squeeze")
    torch.save(made(), cache / "made.pth")
    digest = hashlib.sha256((cache / "made.pth").read_bytes()).hexdigest()
    path = (cache / "made.pth").rename(cache / f"squeezenet1_1-{digest[:8]}.pth")
    monkeypatch.setattr(pretrained, "_url", lambda net: f"http://no/{path.name}")
    assert imagenet.available("squeeze")
    same_weights(imagenet.trunk("squeeze"), made())


def test_what_is_not_torchvisions_in_its_cache_is_refused(cache: Path) -> None:
    torch.save(made(), cache / SQUEEZE)
    with pytest.raises(WeightsError, match=r"wanted b8a52dc0.*delete it"):
        imagenet.trunk("squeeze")


def same_weights(trunk: nn.Module, tensors: dict[str, Tensor]) -> None:
    found = trunk.state_dict()
    assert {f"features.{name}" for name in found} == tensors.keys() - {
        "classifier.1.weight"
    }
    for name, tensor in found.items():
        assert torch.equal(tensor, tensors[f"features.{name}"])
        assert tensor.dtype == torch.float32


@pytest.mark.parametrize("kind", ["pth", "legacy", "safetensors", "bare", "half"])
def test_weights_come_from_a_local_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    tensors = made(prefix="" if kind == "bare" else "features.")
    if kind == "half":
        tensors = {name: tensor.half() for name, tensor in tensors.items()}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind != "legacy")
    assert imagenet.available("squeeze", path)
    assert imagenet.available("squeeze", str(path))
    wanted = made()
    if kind == "half":
        wanted = {name: tensor.half().float() for name, tensor in wanted.items()}
    same_weights(imagenet.trunk("squeeze", path), wanted)


class Served(http.server.BaseHTTPRequestHandler):
    """Gives out one file."""

    content = b""
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch) -> Iterator[str]:
    """A page with weights; its name holds their hash, as torchvision's do."""
    torch.save(made(), tmp_path / "served.pth")
    content = (tmp_path / "served.pth").read_bytes()
    monkeypatch.setattr(Served, "content", content)
    monkeypatch.setattr(Served, "asked", 0)
    name = f"squeezenet1_1-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Served) as running:
        url = f"http://127.0.0.1:{running.server_port}/{name}"
        monkeypatch.setattr(pretrained, "_url", lambda net: url)
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield name
        running.shutdown()
        thread.join()


def test_what_is_not_there_is_downloaded_once(
    cache: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    same_weights(imagenet.trunk("squeeze"), made())
    assert (cache / server).is_file()
    assert [path.name for path in cache.iterdir()] == [server]
    same_weights(imagenet.trunk("squeeze"), made())
    assert Served.asked == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "Downloading" in told.err
    assert socket.getdefaulttimeout() is None


def test_asking_whether_weights_are_there_downloads_none(server: str) -> None:
    assert not imagenet.available("squeeze")
    assert Served.asked == 0


def test_a_download_cut_short_leaves_nothing(
    cache: Path, server: str, monkeypatch
) -> None:
    monkeypatch.setattr(Served, "content", Served.content[:1000])
    with pytest.raises(WeightsError, match=r"not to be had \(invalid hash value"):
        imagenet.trunk("squeeze")
    assert list(cache.iterdir()) == []


def test_offline_the_error_says_what_to_do(cache: Path, offline: str) -> None:
    with pytest.raises(WeightsError) as caught:
        imagenet.trunk("squeeze")
    told = str(caught.value)
    assert told.startswith("the weights of SqueezeNet 1.1 are not on this machine")
    for part in (
        str(cache / SQUEEZE),
        f"{offline} was not to be had (<urlopen error",
        "download that on a machine with network",
        f"put it into {str(cache)!r}",
        "pass weights=<path>",
        "use 'perceptual'",
    ):
        assert part in told
    for build in (imagenet.vgg, lambda: imagenet.lpips("squeeze")):
        with pytest.raises(WeightsError):
            build()
    assert socket.getdefaulttimeout() is None


def test_a_network_that_is_silent_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(pretrained, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{SQUEEZE}"
        monkeypatch.setattr(pretrained, "_url", lambda net: url)
        with pytest.raises(WeightsError, match=r"not to be had \(.*timed out"):
            imagenet.trunk("squeeze")
    assert socket.getdefaulttimeout() is None


def test_a_folder_that_cannot_be_made_is_told(cache: Path, server: str) -> None:
    cache.rmdir()
    cache.write_text("a file")
    with pytest.raises(WeightsError, match=r"was not to be had .*exists"):
        imagenet.trunk("squeeze")


@pytest.mark.parametrize("kind", ["pth", "legacy", "safetensors", "empty", "html"])
@pytest.mark.parametrize("size", [40, 100_000])
def test_a_damaged_file_is_told(tmp_path: Path, kind: str, size: int) -> None:
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pth")
    if kind in ("empty", "html"):
        path.write_text("" if kind == "empty" else "<html>not found</html>")
    elif kind == "safetensors":
        save_file(made(), path)
    else:
        torch.save(made(), path, _use_new_zipfile_serialization=kind != "legacy")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError) as caught:
        imagenet.trunk("squeeze", path)
    told = str(caught.value)
    assert "cut short or damaged" in told or "holds no weights" in told
    assert "wanted the weights of SqueezeNet 1.1" in told
    assert "give the state_dict of torchvision.models.squeezenet1_1" in told
    assert "\n" not in told
    assert "weights_only" not in told


def test_a_damaged_file_in_the_cache_is_not_replaced_unasked(cache: Path) -> None:
    (cache / SQUEEZE).write_text("not found")
    with pytest.raises(WeightsError, match="delete it, and it is downloaded again"):
        imagenet.trunk("squeeze")
    assert (cache / SQUEEZE).read_text() == "not found"


@pytest.mark.parametrize("content", [{"0.weight": Code()}, nn.Linear(1, 1), Code()])
def test_code_in_a_file_is_not_run(tmp_path: Path, capfd, content) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"holds pickled code \(.*which is not run"):
        imagenet.trunk("squeeze", tmp_path / "w.pth")
    assert "ran" not in capfd.readouterr().out


def vgg19() -> dict[str, Tensor]:
    models = importlib.import_module("torchvision.models")
    with torch.device("meta"):
        names = models.vgg19(weights=None).features.state_dict()
    # one zero in the file for each tensor
    return {f"features.{n}": torch.zeros(1).expand(t.shape) for n, t in names.items()}


LACKING = "features.3.squeeze.weight"
MORE = {"features.99.weight": torch.zeros(3)}
NAN = {"features.0.weight": torch.full((64, 3, 3, 3), torch.nan)}


@pytest.mark.parametrize(
    ("net", "content", "told"),
    [
        ("squeeze", lambda: made("alex"), "of another network, in which '0.weight' is"),
        ("vgg", vgg19, "of another network, in which '16.bias' is"),
        (
            "squeeze",
            lambda: {n: t for n, t in made().items() if n != LACKING},
            "'3.squeeze.weight' is absent, wanted SqueezeNet 1.1, in which it is",
        ),
        ("squeeze", lambda: made() | MORE, r"'99.weight' is \(3,\), .* it is absent"),
        ("squeeze", lambda: {"state_dict": made(), "epoch": 3}, "'0.bias' is absent"),
        ("squeeze", lambda: dict.fromkeys(made(), "text"), r"'0.bias' is \(\), wanted"),
        ("squeeze", lambda: [torch.zeros(3)], "holds a list, wanted the weights"),
        ("squeeze", lambda: made() | NAN, "damaged: '0.weight' holds numbers that are"),
    ],
    ids=["alex", "vgg19", "lacking", "more", "wrapped", "text", "list", "nan"],
)
def test_a_file_of_another_network_is_told(
    tmp_path: Path, net: str, content, told: str
) -> None:
    torch.save(content(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=told):
        imagenet.trunk(net, tmp_path / "w.pth")


def test_a_file_that_is_not_there_is_told(tmp_path: Path, offline: str) -> None:
    assert not imagenet.available("squeeze", tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"there is no file .* check the path"):
        imagenet.trunk("squeeze", tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="there is no file"):
        imagenet.trunk("squeeze", tmp_path)


def test_unknown_networks_are_named() -> None:
    for ask in (imagenet.place, imagenet.trunk, imagenet.lpips):
        with pytest.raises(ValueError, match="'vgg16', wanted one of alex, squeeze"):
            ask("vgg16")


@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_a_random_trunk_is_asked_for_by_name_and_always_the_same(net: str) -> None:
    assert imagenet.available(net, "random")
    before = torch.get_rng_state()
    first = imagenet.trunk(net, "random")
    torch.manual_seed(5)
    second = imagenet.trunk(net, "random")
    torch.set_rng_state(before)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.dim() == 1 or a.std() > 0


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_building_leaves_no_trace(net: str) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    expected = imagenet.lpips(net, "random")(*frames())
    assert torch.equal(torch.get_rng_state(), before)
    imagenet._lpips.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        found = imagenet.lpips(net, "random")
    finally:
        torch.set_default_dtype(torch.float32)
    for layer, wanted in zip(found(*frames()), expected, strict=True):
        assert torch.equal(layer, wanted)


def frames() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    forecast, observed = torch.rand(2, 2, 33, 34, generator=generator)
    return forecast, observed


BUILD = {
    "vgg": lambda: imagenet.vgg("random"),
    "alex": lambda: imagenet.lpips("alex", "random"),
    "squeeze": lambda: imagenet.lpips("squeeze", "random"),
}


@pytest.mark.parametrize("build", BUILD.values(), ids=BUILD)
def test_distances_are_frozen_and_evaluate_whatever_happens(build) -> None:
    module = build()
    parent = nn.Sequential(module).train()
    assert parent.training
    assert not any(m.training for m in module.modules())
    assert not any(p.requires_grad for p in parent.parameters())
    assert module.train() is module
    forecast, observed = frames()
    forecast.requires_grad_()
    observed.requires_grad_()
    layers = module(forecast, observed)
    sum(layer.mean() for layer in layers).backward()
    assert forecast.grad.isfinite().all()
    assert forecast.grad.any()
    assert observed.grad is None
    assert all(p.grad is None for p in parent.parameters())
    again = module(forecast, observed)
    assert all(torch.equal(a, b) for a, b in zip(layers, again, strict=True))


@pytest.mark.parametrize("build", BUILD.values(), ids=BUILD)
def test_a_module_made_in_inference_mode_can_be_trained_through(build) -> None:
    imagenet._vgg.cache_clear()
    imagenet._lpips.cache_clear()
    forecast, observed = frames()
    with torch.inference_mode():
        build()(forecast, observed)
    sum(
        layer.mean() for layer in build()(forecast.requires_grad_(), observed)
    ).backward()
    assert forecast.grad.any()


def test_modules_are_kept_and_moved() -> None:
    assert imagenet.vgg("random") is imagenet.vgg("random")
    assert imagenet.lpips("alex", "random") is not imagenet.lpips("squeeze", "random")
    moved = imagenet.vgg("random", device="meta")
    assert {p.device.type for p in moved.parameters()} == {"meta"}
    assert {b.device.type for b in moved.buffers()} == {"meta"}
    imagenet._vgg.cache_clear()


def test_a_kept_module_needs_its_file_no_more(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(made(), "w.pth")
    kept = imagenet.lpips("squeeze", "w.pth")
    Path("w.pth").unlink()
    assert imagenet.lpips("squeeze", tmp_path / "w.pth") is kept


@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_lpips_takes_every_weight_of_its_trunk(tmp_path: Path, net: str) -> None:
    save_file(made(net), tmp_path / "w.safetensors")
    body = imagenet.lpips(net, tmp_path / "w.safetensors").body
    wanted = made(net)
    found = body.metric.net.state_dict()
    assert len(found) == len(wanted) - 1
    for name, tensor in found.items():
        assert torch.equal(tensor, wanted["features." + name.partition(".")[2]])
    heads = [head.model[-1].weight for head in body.heads()]
    assert all((head >= 0).all() and (head > 0).any() for head in heads)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("No module named 'torchvision'"),
        RuntimeError("operator torchvision::nms does not exist"),
    ],
)
def test_torchvision_that_does_not_work_is_told(monkeypatch, error) -> None:
    def broken(name: str):
        raise error

    monkeypatch.setattr(importlib, "import_module", broken)
    for build in (imagenet.vgg, lambda: imagenet.lpips("alex")):
        pretrained._url.cache_clear()
        with pytest.raises(ImportError) as caught:
            build()
        assert f"({error})" in str(caught.value)
        assert "together: pip install --force-reinstall torch torch" in str(
            caught.value
        )


def test_importing_loads_neither_torchvision_nor_lpips() -> None:
    code = "import stormfusion.losses.imagenet, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torchvision", "lpips"} & set(ran.stdout.split())
