"""Checkpoints: written whole or not at all, read without running code."""

import ast
import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

import stormfusion
from stormfusion import checkpoint
from stormfusion.errors import CheckpointError

HEADER = {"recipe": "unet+mse", "task": {"history": 13}, "log": [0.1, float("nan")]}


def tensors() -> dict[str, torch.Tensor]:
    shared = torch.arange(6.0)
    return {
        "weight": torch.rand(3, 4, generator=torch.Generator().manual_seed(0)).T,
        "shared": shared,
        "view": shared[::2],
        "number": torch.tensor(7),
        "half": torch.ones(2, dtype=torch.bfloat16),
    }


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path / "storm.safetensors", tensors(), HEADER)
    found, header = checkpoint.load(path)
    assert found.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert torch.equal(found[name], tensor), name
        assert found[name].dtype == tensor.dtype
    assert json.dumps(header) == json.dumps({"format": 1, **HEADER})
    assert [p.name for p in tmp_path.iterdir()] == ["storm.safetensors"]


@pytest.mark.parametrize("place", [0.1, 0.5, 0.99])
def test_a_changed_byte_is_found(tmp_path: Path, place: float) -> None:
    path = checkpoint.save(tmp_path / "storm.safetensors", tensors(), HEADER)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"copy it again|another program"):
        checkpoint.load(path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = checkpoint.save(tmp_path / "storm.safetensors", tensors(), HEADER)
    before = path.read_bytes()

    def fail(held, target: str, **options) -> None:
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(safetensors.torch, "save_file", fail)
    with pytest.raises(OSError, match=r"disk full"):
        checkpoint.save(path, tensors(), HEADER)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["storm.safetensors"]


def test_an_interruption_leaves_no_temporary_file(tmp_path: Path, monkeypatch) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path / "storm.safetensors", tensors(), HEADER)
    assert not list(tmp_path.iterdir())


def test_a_header_that_is_no_json_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"not JSON serializable"):
        checkpoint.save(tmp_path / "storm.safetensors", tensors(), {"x": object()})
    assert not list(tmp_path.iterdir())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist, .* make it first"):
        checkpoint.save(tmp_path / "no" / "storm.safetensors", tensors(), HEADER)
    with pytest.raises(
        IsADirectoryError, match=r"is a folder, wanted the name of a fil"
    ):
        checkpoint.save(tmp_path, tensors(), HEADER)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_refused(tmp_path: Path, part: float) -> None:
    path = checkpoint.save(tmp_path / "storm.safetensors", tensors(), HEADER)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(
        CheckpointError, match=r"is no whole checkpoint .* copy it again"
    ):
        checkpoint.load(path)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("a checkpoint ran code",)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, foreign)
    with pytest.raises(CheckpointError, match=r"safetensors file of another program"):
        checkpoint.load(foreign)
    pickled = tmp_path / "model.pt"
    pickled.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=r"is no whole checkpoint"):
        checkpoint.load(pickled)
    torch.save({"w": torch.ones(2)}, tmp_path / "torch.pt")
    with pytest.raises(CheckpointError, match=r"is no whole checkpoint"):
        checkpoint.load(tmp_path / "torch.pt")
    for absent in (tmp_path, tmp_path / "none.safetensors"):
        with pytest.raises(FileNotFoundError, match=r"there is no file .* check"):
            checkpoint.load(absent)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 99}'])
def test_a_header_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "storm.safetensors"
    safetensors.torch.save_file(
        {"w": torch.ones(2)}, path, metadata={"stormfusion": text}
    )
    with pytest.raises(CheckpointError, match=r"copy it again|install the storm"):
        checkpoint.load(path)


def test_nothing_in_the_house_unpickles() -> None:
    """No `pickle.load`, and `torch.load` of weights alone: no file runs code."""
    root = Path(stormfusion.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "pickle", path
            if not isinstance(node, ast.Attribute) or not isinstance(
                node.value, ast.Name
            ):
                continue
            if node.value.id == "pickle":
                assert node.attr.endswith("Error"), path
            if (node.value.id, node.attr) == ("torch", "load"):
                assert path.name == "pretrained.py"
    text = (root / "nn" / "pretrained.py").read_text()
    assert text.count("torch.load(") == text.count("weights_only=True)") > 0
