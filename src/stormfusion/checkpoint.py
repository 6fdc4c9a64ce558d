"""Files of numbers with a readable header: safetensors, written whole or not at all."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stormfusion.errors import CheckpointError
from stormfusion.writing import as_path, replacing

FORMAT = 1


def save(
    path: str | Path, tensors: Mapping[str, Tensor], header: dict[str, Any]
) -> Path:
    """
    Write tensors and a header, under a temporary name first.

    Parameters
    ----------
    path
        Where to; its folder must exist.
    tensors
        What to write, by name, from any device.
    header
        Anything that JSON holds.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If nothing can be written there.
    """
    from safetensors.torch import save_file

    header = {"format": FORMAT, **header}
    # tensors that share memory are written apart: safetensors refuses the others
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    # one entry: safetensors writes several in any order
    text = json.dumps({"sha256": digest(plain, header), **header})
    with replacing(path) as temporary:
        save_file(plain, str(temporary), metadata={"stormfusion": text})
    return as_path(path)


def digest(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """SHA-256 of a header as JSON and of all tensors, told in hexadecimal."""
    found = hashlib.sha256(json.dumps(header).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """
    Read tensors and header; no code in the file is run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is cut short or changed, is not one of ours, or comes from a later
        version.
    """
    from safetensors import SafetensorError, safe_open

    path = as_path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}; check the path")
    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            if "stormfusion" not in metadata:
                raise CheckpointError(
                    f"{str(path)!r} is a safetensors file of another program, wanted "
                    "one that Nowcaster.save wrote"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header: dict[str, Any] = dict(json.loads(metadata["stormfusion"]))
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f"{str(path)!r} is no whole checkpoint ({error}), wanted one that "
            "Nowcaster.save or fit(resume=...) wrote; copy it again"
        ) from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{str(path)!r} has format {header.get('format')!r}, this version reads "
            f"{FORMAT}; install the stormfusion that wrote it"
        )
    if header.pop("sha256", None) != digest(tensors, header):
        raise CheckpointError(
            f"{str(path)!r} is damaged: what it holds is not what was written; copy "
            "it again"
        )
    return tensors, header
