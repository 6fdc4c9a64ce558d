"""From what a nowcaster was given to the module it trains."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from stormfusion.classical import CLASSICS, Untrained
from stormfusion.data import gridded
from stormfusion.data.catalog import Catalog
from stormfusion.data.event import Event
from stormfusion.data.scaling import scaling_for
from stormfusion.data.task import DERIVED, Task, check_derived, separated
from stormfusion.errors import CatalogError
from stormfusion.losses import LOSSES, MSE, Loss, Weighted, WeightedSum
from stormfusion.nn import NETWORKS, FromMotion, Network, Recurrent
from stormfusion.nn.recurrent import Rollout
from stormfusion.nn.teaching import Teacher
from stormfusion.nowcaster.derived import Deriving, added
from stormfusion.recipe import Recipe
from stormfusion.training.schedules import ScheduledSampling

LARGEST_SEED = 2**32 - 1
"""Of larger ones the seeds drawn from them would leave the integers of torch."""


def understood(
    recipe: str | Recipe | Network | nn.Module, loss: Loss | WeightedSum | None
) -> tuple[Recipe | None, Any, WeightedSum | None]:
    """The recipe, the network and the loss of what a nowcaster was given."""
    if isinstance(recipe, str):
        recipe = Recipe.parse(recipe)
    if isinstance(recipe, Recipe):
        if isinstance(loss, str):
            raise TypeError(
                f"loss is the text {loss!r}, wanted a loss such as MSE(); write "
                f"'{recipe.network}+{loss}' as the recipe"
            )
        if loss is not None:
            raise TypeError(f"the recipe {str(recipe)!r} {_why_no_loss(recipe)}")
        if recipe.is_classic:
            return recipe, recipe.classic(), None
        return recipe, recipe.network_spec(), recipe.loss()
    if isinstance(recipe, type):
        raise TypeError(
            f"got the class {recipe.__name__}, wanted one of it; write "
            f"{recipe.__name__}()"
        )
    if isinstance(recipe, Untrained):
        if loss is not None:
            raise TypeError(
                f"{recipe.name!r} is not trained, so it takes no loss, but got {loss}; "
                "leave loss= out"
            )
        return None, recipe, None
    if not isinstance(recipe, nn.Module) and not hasattr(recipe, "build"):
        raise TypeError(
            f"got a {type(recipe).__name__} as network, wanted a recipe such as "
            "'unet+mse', a description such as UNet(), or a torch module"
        )
    return None, recipe, WeightedSum.of(MSE() if loss is None else loss)


def known_loss(loss: WeightedSum | None, network: Any) -> WeightedSum | None:
    """The loss to train by; a classic has none, and a loaded one may lack its own."""
    if loss is None and not isinstance(network, Untrained):
        raise TypeError(
            "this nowcaster was loaded without its loss, which is one of your own; "
            "name it in Nowcaster.load(..., loss=)"
        )
    return loss


def as_term(term: Any) -> Loss:
    """A loss, or the one of a name."""
    if isinstance(term, Loss):
        return term
    if not isinstance(term, str) or term not in LOSSES:
        raise ValueError(
            f"term is {term!r}, wanted a loss such as Perceptual(), or the name of one "
            f"of {', '.join(sorted(LOSSES))}"
        )
    return LOSSES[term]()


def build(network: Any, task: Task, seed: int) -> nn.Module:
    """
    The module of a network, with fresh weights.

    A network that sees its target's past forecasts what moving the last frame leaves;
    a recurrent one forecasts the frames themselves, one after the other. A module of
    the user's own is taken as it is. Either gets what is to be derived.
    """
    if isinstance(network, Untrained):
        return network.build(task)
    if rolls(network) and not task.autoregressive:
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(
            f"{name!r} sees its own forecasts of {task.target!r}, which is none of the "
            f"inputs {task.inputs!r}; name it among them, or take another network, "
            "such as 'unet'"
        )
    built = network if isinstance(network, nn.Module) else _fresh(network, task, seed)
    return Deriving(built, task) if task.derived else built


def rolls(network: Any) -> bool:
    """Whether a network is recurrent, or one of the user's own that reconstructs."""
    return isinstance(network, Recurrent) or getattr(network, "reconstructs", False)


def _why_no_loss(recipe: Recipe) -> str:
    """Why a recipe takes no loss beside it."""
    if recipe.is_classic:
        return "is not trained; leave loss= out"
    made = f"{type(recipe.network_spec()).__name__}()"
    return (
        f"names a loss of its own, mse where it names none; write Nowcaster({made}, "
        "loss=...)"
    )


def sized(network: Any, events: Sequence[Event], task: Task) -> Any:
    """A recurrent network with the patch that the largest grid asks for."""
    if not isinstance(network, Recurrent):
        return network
    shapes = [
        e.frames[task.target].grid.shape for e in events if task.target in e.frames
    ]
    return network.sized(*(max(sides) for sides in zip(*shapes, strict=True)))


def patch_of(module: nn.Module) -> int | None:
    """The patch of a recurrent network that was built."""
    body = module.body if isinstance(module, Deriving) else module
    return body.spec.patch if isinstance(body, Rollout) else None


def patched(network: Any, patch: int | None) -> Any:
    """A recurrent network with the patch that it was trained with."""
    if patch is None or not isinstance(network, Recurrent):
        return network
    return replace(network, patch=patch)


def check_sampling(sampling: Any, network: Any) -> None:
    """Make sure that a schedule of what is shown is one, and that it is of use."""
    if sampling is None:
        return
    if not isinstance(sampling, ScheduledSampling):
        raise TypeError(
            f"sampling is {sampling!r}, wanted a ScheduledSampling of "
            "stormfusion.training, which holds the schedules"
        )
    if not rolls(network):
        name = getattr(network, "name", type(network).__name__)
        raise ValueError(
            f"sampling shows frames to a recurrent network, and {name!r} is none; "
            "leave sampling= out"
        )


def _fresh(network: Network, task: Task, seed: int) -> nn.Module:
    rolled = rolls(network)
    channels = task.channels + sum(added(task, rolled=rolled).values())
    sizes = {"channels": channels, "history": task.history, "leads": task.leads}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if task.autoregressive and not rolled:
            return FromMotion.around(network, **sizes)
        return network.build(**sizes)


def check_module(network: nn.Module, task: Task, size: tuple[int, int]) -> None:
    """Run a module once; make sure that it forecasts what is wanted, and can learn."""
    past = torch.zeros((1, task.history, task.channels, *size))
    for weight in network.parameters():
        past = past.to(weight.device)
    own = network.body if isinstance(network, Deriving) else network
    channels = dict.fromkeys(task.inputs, 2) | added(task, rolled=rolls(own))
    name = type(own).__name__
    given = (1, task.history, sum(channels.values()), *size)
    told = ", ".join(f"{count} of {what}" for what, count in channels.items())
    training = network.training
    wanted = [(1, task.leads, *size)]
    options: list[dict[str, Any]] = [{}]
    if getattr(network, "reconstructs", False):
        # as in training: the observed frames, too, but for the first
        wanted.append((1, task.history - 1 + task.leads, *size))
        options.append({"teacher": Teacher.silent(past, leads=task.leads)})
    try:
        with torch.no_grad():
            made = [network.eval()(past, **each) for each in options]
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f"network {name} failed on a past of {given} ({error}), wanted one that "
            f"takes batch, time, channel, y and x; the channels are {told}"
        ) from error
    finally:
        network.train(training)
    for output, shape, how in zip(made, wanted, ("", " with a teacher"), strict=False):
        is_tensor = isinstance(output, torch.Tensor)
        found = tuple(output.shape) if is_tensor else type(output).__name__
        if found != shape:
            raise ValueError(
                f"network {name} returned {found} for a past of {given}{how}, whose "
                f"channels are {told}, wanted a tensor of {shape}: batch, lead, y and x"
            )
    if not any(weight.requires_grad for weight in network.parameters()):
        raise ValueError(
            f"network {name} has no weights to train, wanted some with requires_grad; "
            '"persistence" is the forecast that needs none'
        )


def checked_inputs(
    inputs: Sequence[str] | None, target: str | None, history: int
) -> tuple[str, ...] | None:
    """The names of the inputs, each a variable there is or derived from the target."""
    if isinstance(inputs, str):
        raise TypeError(
            f"inputs is the text {inputs!r}, wanted a sequence of names; write "
            f"inputs=({inputs!r},)"
        )
    if inputs is not None and not isinstance(inputs, Sequence):
        raise TypeError(
            f"inputs is {inputs!r}, wanted a sequence of names, such as ('vil', "
            "'ir107')"
        )
    found = None if inputs is None else tuple(inputs)
    if found is not None and (not found or len(set(found)) < len(found)):
        raise ValueError(
            f"inputs are {found!r}, wanted one or more variables, each once; leave "
            "inputs= out for the radar variable alone"
        )
    if target is not None:
        scaling_for(target)
    variables, derived = separated(found or ())
    for variable in variables:
        try:
            scaling_for(variable)
        except ValueError as error:
            raise ValueError(
                f"{error}. Of the target's past, {' and '.join(map(repr, DERIVED))} "
                "can be inputs, too"
            ) from error
    check_derived(derived, variables, target, history=history)
    return found


def check_untrained(
    network: Any, history: int, inputs: tuple[str, ...] | None, target: str | None
) -> None:
    """Make sure that a nowcast without training gets what it can use."""
    if not isinstance(network, Untrained):
        return
    if history < network.module.least:
        raise ValueError(
            f"history is {history}, {network.name!r} needs {network.module.least} "
            "frames; give it as many"
        )
    for name in {target, *(inputs or ())} - {None, *DERIVED}:
        network.module.check_target(str(name))
    if inputs is not None and (
        len(inputs) > 1 or target not in (None, *inputs) or separated(inputs)[1]
    ):
        raise ValueError(
            f"inputs are {inputs!r}, {network.name!r} sees the variable that it "
            "forecasts and no other; leave inputs= out"
        )


def checked_baselines(baselines: Any, network: Any) -> tuple[str, ...]:
    """The names of the baselines, each a nowcast without training; not one's own."""
    if isinstance(baselines, str) or not isinstance(baselines, Sequence):
        raise TypeError(
            f"baselines is {baselines!r}, wanted a sequence of names, such as "
            "('persistence', 'steps')"
        )
    for name in baselines:
        if not isinstance(name, str) or name not in CLASSICS:
            raise ValueError(
                f"baselines name {name!r}, wanted some of {', '.join(CLASSICS)}; "
                "evaluate a trained nowcaster itself"
            )
        alike = isinstance(network, Untrained) and network.name == name
        if alike and network != CLASSICS[name]():
            raise ValueError(
                f"this nowcaster is {network!r}, and the baseline {name!r} would have "
                "the same name in the scores; leave it out, and evaluate "
                f"Nowcaster({name!r}) apart"
            )
    return tuple(dict.fromkeys(baselines))


def whole(name: str, value: Any, *, least: int, most: int | None = None) -> int:
    """A whole number that is large enough, and not too large, or a sentence."""
    fits = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not fits or value < least or (most is not None and value > most):
        range_ = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} is {value!r}, wanted a whole number, {range_}")
    return int(value)


def check_catalog(catalog: Any, wanted: str) -> None:
    """Make sure that a catalog is one, and holds something."""
    if not isinstance(catalog, Catalog):
        raise TypeError(
            f"got a {type(catalog).__name__} of events {wanted}, wanted a Catalog; "
            "make one with Catalog.open, Catalog.from_xarray or catalog.split"
        )
    if not len(catalog):
        raise CatalogError(
            f"the catalog is empty, wanted events {wanted}; check what was selected"
        )


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


def described(
    recipe: Recipe | None, network: Any, loss: WeightedSum | None
) -> dict[str, Any]:
    """What a checkpoint holds of network and loss, where they are ours."""
    if recipe is not None:
        return {"recipe": str(recipe), "network": None, "loss": None}
    held = terms = None
    if type(network) in (*NETWORKS.values(), *CLASSICS.values()):
        held = {"name": network.name, "options": asdict(network)}
    if loss is not None and all(type(t.loss) in LOSSES.values() for t in loss.terms):
        options = [t.loss.options() for t in loss.terms]
        if None not in options:
            terms = [
                {"name": t.loss.name, "options": own, "weight": t.weight}
                for t, own in zip(loss.terms, options, strict=True)
            ]
    return {"recipe": None, "network": held, "loss": terms}


def restored_loss(terms: list[dict[str, Any]] | None) -> WeightedSum | None:
    """The loss that a checkpoint tells of; none where it was one of the user's own."""
    if terms is None:
        return None
    return WeightedSum(
        tuple(
            Weighted(LOSSES[term["name"]](**term["options"]), term["weight"])
            for term in terms
        )
    )
