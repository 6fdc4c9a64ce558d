"""From what a nowcaster was given to the module it trains."""

from dataclasses import asdict
from typing import Any

import torch
import xarray as xr
from torch import nn

from stormfusion.classical import Persistence
from stormfusion.data import gridded
from stormfusion.data.event import Event
from stormfusion.data.task import Task
from stormfusion.losses import MSE, Loss, WeightedSum
from stormfusion.nn import NETWORKS, FromMotion, Network
from stormfusion.recipe import Recipe


def understood(
    recipe: str | Recipe | Network | nn.Module, loss: Loss | WeightedSum | None
) -> tuple[Recipe | None, Any, WeightedSum | None]:
    """The recipe, the network and the loss of what a nowcaster was given."""
    if isinstance(recipe, str):
        recipe = Recipe.parse(recipe)
    if isinstance(recipe, Recipe):
        if loss is not None:
            raise TypeError(
                f"recipe {str(recipe)!r} names its loss already; pass a network, such "
                "as UNet(), with loss="
            )
        if recipe.is_classic:
            return recipe, Persistence(), None
        return recipe, recipe.network_spec(), recipe.loss()
    if not isinstance(recipe, nn.Module) and not hasattr(recipe, "build"):
        raise TypeError(
            f"got a {type(recipe).__name__} as network, wanted a recipe such as "
            "'unet+mse', a description such as UNet(), or a torch module"
        )
    return None, recipe, WeightedSum.of(MSE() if loss is None else loss)


def build(network: Any, task: Task, seed: int) -> nn.Module:
    """
    The module of a network, with fresh weights.

    A network that sees its target's past forecasts what moving the last frame leaves.
    A module of the user's own is taken as it is.
    """
    if isinstance(network, nn.Module):
        return network
    moving = task.autoregressive and not isinstance(network, Persistence)
    extra = 2 if moving else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body: nn.Module = network.build(
            channels=task.channels + extra,
            history=task.history,
            leads=task.leads + extra,
        )
    return FromMotion(body, task.leads) if moving else body


def as_event(event: Any) -> Event:
    """An event, or a dataset taken as one."""
    if isinstance(event, xr.Dataset | xr.DataArray):
        return gridded.event_of_dataset(event)
    if not isinstance(event, Event):
        raise TypeError(
            f"got a {type(event).__name__}, wanted an Event or an xarray Dataset; "
            "forecast one event of a catalog, such as catalog[0]"
        )
    return event


def described(recipe: Recipe | None, network: Any) -> dict[str, Any]:
    """What a checkpoint holds of the network, where it is one of ours."""
    held = None
    if type(network) in NETWORKS.values():
        held = {"name": network.name, "options": asdict(network)}
    return {"recipe": None if recipe is None else str(recipe), "network": held}
