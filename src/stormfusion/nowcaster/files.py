"""Nowcasters in files: what a checkpoint holds of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from stormfusion import __version__, checkpoint
from stormfusion.calibration import Calibration
from stormfusion.classical import CLASSICS, Untrained
from stormfusion.data import scaling
from stormfusion.data.task import Task
from stormfusion.errors import CheckpointError
from stormfusion.losses import Loss, WeightedSum
from stormfusion.nn import NETWORKS, Network
from stormfusion.nowcaster.building import patch_of, restored_loss
from stormfusion.nowcaster.fitting import Fitted, placed
from stormfusion.recipe import Recipe
from stormfusion.sampling import Dressing


@dataclass(frozen=True, eq=False)
class Saved:
    """What was read of a checkpoint."""

    path: Path
    recipe: Any
    loss: WeightedSum | None
    task: Task
    seed: int
    tensors: dict[str, Tensor]
    header: dict[str, Any]

    def options(self) -> dict[str, Any]:
        """What the nowcaster was made with."""
        held = {n: getattr(self.task, n) for n in ("target", "history", "leads")}
        return {"seed": self.seed, "inputs": self.task.seen, **held}

    def restore(self, network: nn.Module, device: str) -> Fitted:
        """Give the weights to a network of the right shape."""
        for name, tensor in self.tensors.items():
            if not bool(tensor.isfinite().all()):
                raise CheckpointError(
                    f"{name} of {str(self.path)!r} is not finite, wanted numbers that "
                    "forecast; fit again"
                )
        try:
            network.load_state_dict(self._named("network."))
            dressing = Dressing.from_tensors(self._named("dressing."))
        except (RuntimeError, KeyError, TypeError) as error:
            raise CheckpointError(
                f"the weights of {str(self.path)!r} do not fit the network; pass the "
                "one they were trained with as network="
            ) from error
        return Fitted(
            self.task,
            placed(network, device),
            dressing,
            pd.DataFrame(self.header["log"]),
            self.header["notes"],
        )

    def calibration(self) -> Calibration | None:
        """The calibration, if the file holds one."""
        held = self.header.get("calibration")
        return None if held is None else Calibration.from_tensors(self.tensors, held)

    def _named(self, prefix: str) -> dict[str, Tensor]:
        return {
            key.removeprefix(prefix): value
            for key, value in self.tensors.items()
            if key.startswith(prefix)
        }


def write(
    path: str | Path,
    fitted: Fitted,
    identity: dict[str, Any],
    calibration: Calibration | None,
) -> Path:
    """Write a fitted nowcaster: weights, errors, and a header that tells the rest."""
    tensors = {f"network.{k}": v for k, v in fitted.network.state_dict().items()}
    tensors |= {f"dressing.{k}": v for k, v in fitted.dressing.to_tensors().items()}
    variables = dict.fromkeys((*fitted.task.inputs, fitted.task.target))
    scalings = {v: scaling.to_header(scaling.scaling_for(v)) for v in variables}
    header = {
        **identity,
        "scalings": scalings,
        "patch": patch_of(fitted.network),
        "notes": fitted.notes,
        "log": fitted.log.to_dict("list"),
        "versions": {"stormfusion": __version__, "torch": torch.__version__},
    }
    if calibration is not None:
        more, told = calibration.to_tensors()
        tensors, header = tensors | more, header | {"calibration": told}
    return checkpoint.save(path, tensors, header)


def read(
    path: str | Path,
    network: Network | nn.Module | None = None,
    loss: Loss | WeightedSum | None = None,
) -> Saved:
    """Read a checkpoint; refuse one that this version would forecast wrongly with."""
    tensors, header = checkpoint.load(path)
    if "task" not in header:
        raise CheckpointError(
            f"{str(path)!r} keeps a training that was interrupted, wanted a file of "
            "Nowcaster.save; go on with fit(resume=...)"
        )
    if header.get("recipe") is not None and (network is not None or loss is not None):
        raise TypeError(
            f"{str(path)!r} holds recipe {header['recipe']!r}, which names its "
            "network and loss; leave network= and loss= out"
        )
    try:
        return _understood(Path(path), tensors, header, network, loss)
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"the header of {str(path)!r} cannot be understood "
            f"({type(error).__name__}: {error}); install the stormfusion that wrote it"
        ) from error


def _understood(
    path: Path,
    tensors: dict[str, Tensor],
    header: dict[str, Any],
    network: Network | nn.Module | None,
    loss: Loss | WeightedSum | None,
) -> Saved:
    for variable, held in header["scalings"].items():
        if scaling.scaling_for(variable) != scaling.from_header(held):
            raise CheckpointError(
                f"{str(path)!r} scales {variable} by {held}, this version by "
                f"{scaling.scaling_for(variable)}; install the version that wrote it"
            )
    if header["recipe"] is not None:
        recipe: Any = Recipe.parse(header["recipe"])
        known = None if recipe.is_classic else recipe.loss()
    else:
        recipe = _described(header, path) if network is None else network
        if header["network"] is not None and isinstance(network, Network):
            _check_same(network, _described(header, path), path)
        known = restored_loss(header["loss"]) if loss is None else WeightedSum.of(loss)
    task = Task.from_header(header["task"])
    return Saved(path, recipe, known, task, header["seed"], tensors, header)


def _check_same(network: Network, held: Any, path: Path) -> None:
    """The same weights in another network would forecast something else."""
    if network != held:
        raise CheckpointError(
            f"{str(path)!r} holds {held!r}, but got network={network!r}; leave "
            "network= out"
        )


def _described(header: dict[str, Any], path: str | Path) -> Network | Untrained:
    held = header["network"]
    if held is None:
        raise CheckpointError(
            f"{str(path)!r} holds weights of a network of your own, "
            f"{header['name']!r}; pass it with network="
        )
    known: dict[str, Any] = {**NETWORKS, **CLASSICS}
    if held["name"] not in known:
        raise CheckpointError(
            f"{str(path)!r} holds a network {held['name']!r}, which this version does "
            f"not know (known: {', '.join(known)}); install the one that wrote it"
        )
    described: Network | Untrained = known[held["name"]](**held["options"])
    return described
