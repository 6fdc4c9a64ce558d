"""Files of weights that torchvision publishes: where they are, and what they hold."""

import contextlib
import hashlib
import importlib
import pickle
import re
import socket
import sys
import warnings
from collections.abc import Mapping
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stormfusion.errors import WeightsError
from stormfusion.writing import as_path

RANDOM = "random"
"""In the place of weights: a trunk that learnt nothing, for tests and timing only."""

TIMEOUT = 30.0
"""How long a download may stand still [s]."""

_MODELS = {"alex": "alexnet", "squeeze": "squeezenet1_1", "vgg": "vgg16"}
_TITLES = {"alex": "AlexNet", "squeeze": "SqueezeNet 1.1", "vgg": "VGG-16"}


def available(net: str, weights: str | Path | None = None) -> bool:
    """
    Tell whether weights are on this machine; nothing is downloaded or read.

    Parameters
    ----------
    net
        `"alex"`, `"squeeze"` or `"vgg"`.
    weights
        As in `imagenet.trunk`.

    Returns
    -------
    bool
        Whether there is such a file.

    Examples
    --------
    >>> available("vgg", "no/such/vgg16.pth")
    False
    """
    return weights == RANDOM or place(net, weights).is_file()


def model(net: str) -> str:
    """
    Tell what torchvision calls a network.

    Parameters
    ----------
    net
        `"alex"`, `"squeeze"` or `"vgg"`.

    Raises
    ------
    ValueError
        If it is another.

    Examples
    --------
    >>> model("vgg")
    'vgg16'
    """
    if net not in _MODELS:
        raise ValueError(f"there is no net {net!r}, wanted one of {', '.join(_MODELS)}")
    return _MODELS[net]


def place(net: str, weights: str | Path | None = None) -> Path:
    """
    Tell where weights are, or where a download puts them.

    Parameters
    ----------
    net
        `"alex"`, `"squeeze"` or `"vgg"`.
    weights
        As in `imagenet.trunk`.

    Returns
    -------
    Path
        The file, which may not be there: by default the one in torchvision's cache.

    Examples
    --------
    >>> place("vgg").name
    'vgg16-397923af.pth'
    """
    if weights is not None:
        return as_path(weights).absolute()
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_url(net)).name


def loaded(
    net: str, weights: str | Path | None, wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """
    Read the weights of a trunk, downloaded first if they are nowhere.

    Parameters
    ----------
    net
        `"alex"`, `"squeeze"` or `"vgg"`.
    weights
        A file, or none for torchvision's own.
    wanted
        The shapes by name.

    Raises
    ------
    WeightsError
        If they are not to be had, or not those wanted.
    """
    path = place(net, weights)
    title = _TITLES[net]
    if weights is None:
        advice = "delete it, and it is downloaded again"
        if path.is_file():
            _check_digest(path, title, advice)
            found = _read(path, title, advice)
        else:
            found = _downloaded(net, path)
    else:
        advice = f"give the state_dict of torchvision.models.{model(net)}"
        if not path.is_file():
            raise WeightsError(
                f"there is no file {str(path)!r}, wanted the weights of {title}; check "
                "the path, or leave weights out for those of torchvision"
            )
        found = _read(path, title, advice)
    return _checked(found, wanted, f"{str(path)!r}", title, advice)


def imported(name: str) -> Any:
    """
    Import torchvision or lpips, which are slow to, when they are needed.

    Raises
    ------
    ImportError
        If it is not there, or was built for another torch.
    """
    package = name.partition(".")[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:
        # of a torch it was not built for, torchvision says that an operator is missing
        raise ImportError(
            f"{package} does not work beside torch {torch.__version__} "
            f"({_sentence(error)}), wanted versions that fit; install them again "
            "together: pip install --force-reinstall torch torchvision lpips"
        ) from error


@lru_cache
def _url(net: str) -> str:
    models = imported("torchvision.models")
    url: str = models.get_model_weights(model(net))["IMAGENET1K_V1"].url
    return url


def _check_digest(path: Path, title: str, advice: str) -> None:
    """Torchvision names its files by what is in them: the end of the stem is a hash."""
    wanted = path.stem.rpartition("-")[2]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(wanted):
        raise WeightsError(
            f"{str(path)!r} begins with SHA-256 {found[:8]}, wanted {wanted}, that of "
            f"{title}; {advice}"
        )


def _read(path: Path, title: str, advice: str) -> Any:
    try:
        # told by what it holds, as its name may be any
        with path.open("rb") as file:
            begins = file.read(9)
        if begins[8:] == b"{":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own text tells how to run the code
        code = re.search(r"GLOBAL (\S+)", str(error))
        held = "no weights"
        if code is not None:
            held = f"pickled code ({code[1]}), which is not run"
        raise WeightsError(
            f"{str(path)!r} holds {held}, wanted the weights of {title}; {advice}"
        ) from error
    except Exception as error:  # a file cut short raises whatever is met first
        raise WeightsError(
            f"{str(path)!r} is cut short or damaged ({_sentence(error)}), wanted the "
            f"weights of {title}; {advice}"
        ) from error


def _downloaded(net: str, path: Path) -> Any:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        # torch tells of the download on the standard output
        with contextlib.redirect_stdout(sys.stderr):
            return torch.hub.load_state_dict_from_url(
                _url(net),
                model_dir=str(path.parent),
                map_location="cpu",
                progress=True,
                check_hash=True,
                weights_only=True,
            )
    except (OSError, RuntimeError, EOFError, HTTPException, pickle.PickleError) as e:
        raise WeightsError(
            f"the weights of {_TITLES[net]} are not on this machine: there is no file "
            f"{str(path)!r}, and {_url(net)} was not to be had ({_sentence(e)}); "
            f"download that on a machine with network and put it into "
            f"{str(path.parent)!r}, or pass weights=<path>, or use 'perceptual', which "
            "ships with the library"
        ) from e
    finally:
        socket.setdefaulttimeout(before)


def _checked(
    found: Any,
    wanted: Mapping[str, tuple[int, ...]],
    file: str,
    title: str,
    advice: str,
) -> dict[str, Tensor]:
    """The tensors of a trunk, if all of them are there and no other."""
    if not isinstance(found, Mapping):
        raise WeightsError(
            f"{file} holds a {type(found).__name__}, wanted the weights of {title} by "
            f"their names; {advice}"
        )
    tensors = {
        str(name).removeprefix("features."): tensor
        for name, tensor in found.items()
        if not str(name).startswith("classifier.")
    }
    for name in sorted({*tensors, *wanted}):
        shape = tuple(getattr(tensors.get(name), "shape", ()))
        if shape != wanted.get(name):
            told = f"is {shape}" if name in tensors else "is absent"
            raise WeightsError(
                f"{file} holds the weights of another network, in which {name!r} "
                f"{told}, wanted {title}, in which it is "
                f"{wanted.get(name, 'absent')}; {advice}"
            )
        if not bool(tensors[name].isfinite().all()):
            raise WeightsError(
                f"{file} is damaged: {name!r} holds numbers that are not finite, "
                f"wanted the weights of {title}; {advice}"
            )
    return tensors


def _sentence(error: BaseException) -> str:
    """The first sentence of an error, or its kind if it says nothing."""
    return str(error).strip().partition("\n")[0].partition(". ")[0] or repr(error)
