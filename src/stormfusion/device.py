"""Devices that this machine has."""

import torch


def checked_device(device: str | torch.device) -> str:
    """
    The name of a device that this machine has.

    Parameters
    ----------
    device
        `"auto"` for the best there is, or `"cpu"`, `"cuda"`, `"cuda:1"`, `"mps"`.

    Raises
    ------
    ValueError
        If it has not.
    """
    if device == "auto":
        return best_device()
    counts = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError):
        found = None
    if found is None or (found.index or 0) >= counts.get(found.type, 0):
        there = ", ".join(kind for kind, count in counts.items() if count)
        raise ValueError(
            f"device {str(device)!r} is not on this machine, which has {there}; name "
            "one of them, or 'auto'"
        )
    return str(found)


def best_device() -> str:
    """The device to use where none is named: `cuda`, `mps` or `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
