"""Tuning: one training for each weight of a term, and what sharpness costs."""

import copy
import json
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from torch import nn
from tqdm.auto import tqdm

from stormfusion.data.catalog import Catalog
from stormfusion.data.task import Task
from stormfusion.data.windows import RandomWindows, batch, window_size
from stormfusion.errors import CatalogError, CheckpointError, WeightsError
from stormfusion.losses import (
    LPIPS,
    Loss,
    Perceptual,
    Weighted,
    WeightedSum,
    balance,
)
from stormfusion.losses.weights import weight_text
from stormfusion.nn.pretrained import available
from stormfusion.nowcaster import building
from stormfusion.recipe import Recipe, Term
from stormfusion.training.optimizers import told
from stormfusion.training.split import fingerprint, validation_split
from stormfusion.verification import Tally
from stormfusion.writing import as_path, replacing

if TYPE_CHECKING:
    from stormfusion.nowcaster.estimator import Nowcaster

SCORES = ("csi", "crps", "mse", "mae", "perceptual", "lpips", "spectrum_ratio")
"""What is kept of the scores of each weight."""
CURVES = {
    "loss": "training_loss",
    "validation_loss": "validation_loss",
    "csi": "validation_csi",
}
"""Columns of the log, and what they are called in the result."""
MULTIPLES = (1 / 3, 1.0, 3.0, 10.0)
"""Default weights, as multiples of the balanced one."""


def checked_cost(cost: Any) -> float:
    """A share from 0 to 1, or a sentence."""
    number = isinstance(cost, int | float) and not isinstance(cost, bool)
    if not number or not 0 <= cost <= 1:
        raise ValueError(f"cost is {cost!r}, wanted a share of the CSI from 0 to 1")
    return float(cost)


def checked_folder(folder: str | Path | None) -> Path | None:
    """A folder that is there, made if need be."""
    if folder is None:
        return None
    path = as_path(folder)
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(
            f"{str(path)!r} is a file, wanted a folder to keep the trainings in"
        )
    path.mkdir(parents=True, exist_ok=True)
    return path


def checked_weights(term: Loss, weights: Sequence[float]) -> list[float]:
    """Weights in rising order, 0 the first."""
    try:
        given = [float(weight) for weight in weights]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"weights are {weights!r}, wanted numbers such as (0.03, 0.1, 0.3)"
        ) from error
    if any(isinstance(weight, bool) for weight in weights):
        raise ValueError(f"weights are {weights!r}, wanted numbers, not true or false")
    if bad := [w for w in given if not 0 <= w < math.inf]:
        raise ValueError(
            f"the weight {bad[0]!r} of {term.name!r} was to be tried, wanted finite "
            "ones, 0 or more"
        )
    return sorted({0.0, *given})


@dataclass(frozen=True, eq=False)
class Sweep:
    """
    A nowcaster to be trained with a term at several weights.

    Parameters
    ----------
    nowcaster
        What is trained; it stays as it is.
    term
        The term.
    fitting, scoring
        Arguments of `fit` and of `evaluate`.
    folder
        Where trainings and scores are kept, if anywhere.
    progress
        Whether to draw progress bars.
    """

    nowcaster: "Nowcaster"
    term: Loss
    fitting: dict[str, Any]
    scoring: dict[str, Any]
    folder: Path | None
    progress: bool

    def run(
        self,
        catalog: Catalog,
        validation: Catalog | None,
        weights: Sequence[float] | None,
        cost: float,
    ) -> xr.Dataset:
        """Train and score every weight, and choose one."""
        base = self._base()
        task = self.nowcaster._infer(list(catalog))
        learned, held, validated = validation_split(catalog, validation, task)
        if held is None:
            raise CatalogError(
                f"a catalog of {len(catalog)} event(s) leaves none to score on, wanted "
                "some; give validation=, or cut more events with a duration"
            )
        if task.leads < self.term.frames:
            raise ValueError(
                f"{self.term.name!r} compares {self.term.frames} leads, but this task "
                f"has leads={task.leads}; forecast more, or tune another term"
            )
        self.term.prepare()
        self._check(task, learned, held)
        chosen = self._default(base, learned) if weights is None else weights
        tried = checked_weights(self.term, chosen)
        found = []
        bar = tqdm(tried, disable=not self.progress, desc=f"tune {self.term.name}")
        for weight in bar:
            bar.set_postfix_str(f"weight {weight_text(weight)}")
            found.append(self._scored(base, weight, learned, held))
        joined = xr.concat(
            found, "weight", join="outer", coords="minimal", compat="override"
        )
        return self._labelled(joined, tried, base, cost).assign_attrs(
            validated=validated
        )

    def _check(self, task: Task, learned: Catalog, held: Catalog) -> None:
        """Refuse what would fail after the first training."""
        building.whole("members", self.scoring["members"], least=0)
        Tally(task.target, thresholds=self.scoring["thresholds"])
        least = self.term.least
        for events in (learned, held):
            height, width = window_size(list(events), task)
            if min(height, width) < least:
                raise ValueError(
                    f"{self.term.name!r} compares maps of at least {least} x {least} "
                    f"pixels, but an event leaves {height} x {width}; use larger "
                    "events, or tune another term"
                )

    def _base(self) -> WeightedSum:
        """The loss of the nowcaster without the term."""
        loss = building.known_loss(self.nowcaster._loss, self.nowcaster._network)
        if loss is None:
            raise ValueError(
                f"{self.nowcaster.name!r} is not trained, so no term shapes it; tune a "
                "network such as Nowcaster('unet')"
            )
        rest = tuple(t for t in loss.terms if t.loss.name != self.term.name)
        if not any(t.loss.kind == "pixel" for t in rest):
            raise ValueError(
                f"the loss {str(loss)!r} without {self.term.name!r} has no pixel term, "
                "wanted one to begin from; add one, such as MSE()"
            )
        return WeightedSum(rest)

    def _default(self, base: WeightedSum, catalog: Catalog) -> list[float]:
        """Multiples of the weight that balances the term before training."""
        task = self.nowcaster._infer(list(catalog))
        events = list(catalog)
        size = window_size(events, task)
        windows = RandomWindows(
            events, task, size=size, count=8, seed=self.nowcaster.seed
        )
        data = batch([windows[index] for index in range(8)])
        described = building.sized(self._network(), events, task)
        network = building.build(described, task, self.nowcaster.seed).cpu()
        both = WeightedSum((*_pixels(base).terms, Weighted(self.term)))
        both = both.bound(task.target)
        forecast = network.eval()(data.past).detach()
        weight = balance(both, forecast, data.future, data.valid).get(self.term.name)
        if weight is None:
            raise ValueError(
                f"{self.term.name!r} is a pixel term and is not balanced; name the "
                "weights to try"
            )
        return [float(f"{weight * multiple:.2g}") for multiple in MULTIPLES]

    def _network(self) -> Any:
        network = self.nowcaster._network
        return copy.deepcopy(network) if isinstance(network, nn.Module) else network

    def _made(self, base: WeightedSum, weight: float) -> "Nowcaster":
        """A fresh nowcaster with the term at a weight."""
        loss = base + weight * self.term if weight else base
        own = self.nowcaster
        return type(own)(
            self._network(),
            loss=loss,
            inputs=own.inputs,
            target=own.target,
            history=own.history,
            leads=own.leads,
            device=own.device,
            seed=own.seed,
        )

    def _scored(
        self, base: WeightedSum, weight: float, learned: Catalog, held: Catalog
    ) -> xr.Dataset:
        """Scores and training curves of one weight, trained if need be."""
        nowcaster = self._made(base, weight)
        sampling = self.fitting["sampling"]
        identity = {
            "loss": str(base + weight * self.term if weight else base),
            "term": _told(self.term),
            "network": repr(self.nowcaster._network),
            "seed": self.nowcaster.seed,
            "task": nowcaster._infer(list(learned)).to_header(),
            "events": [fingerprint(learned), fingerprint(held)],
            **self.fitting,
            "optimizer": told(self.fitting["optimizer"]),
            "sampling": None if sampling is None else sampling.told(),
            **{k: v if v is None else repr(v) for k, v in self.scoring.items()},
        }
        text = json.dumps(identity, sort_keys=True)
        name = f"{self.term.name}-{weight_text(weight) if weight else '0'}"
        kept = (self.folder or Path()) / name
        scored, going = kept.with_name(f"{name}.nc"), kept.with_name(f"{name}.training")
        model = kept.with_name(f"{name}.safetensors").absolute()
        if self.folder is not None and scored.exists() and model.exists():
            return _read(scored, identity).assign(file=str(model))
        nowcaster.fit(
            learned,
            validation=held,
            resume=None if self.folder is None else going,
            progress=self.progress,
            **self.fitting,
        )
        scores = nowcaster.evaluate(
            held,
            distances=self._distances(nowcaster),
            progress=self.progress,
            **self.scoring,
        )
        result = _condensed(scores.sel(forecast=nowcaster.name), nowcaster.log)
        if self.folder is not None:
            nowcaster.save(model)
            result["file"] = str(model)
            result.attrs["sweep"] = text
            with replacing(scored) as temporary:
                result.to_netcdf(temporary, engine="h5netcdf")
            going.unlink()
        return result

    def _distances(self, nowcaster: "Nowcaster") -> list[Loss]:
        """What judges sharpness: perceptual distance, LPIPS where it is to be had."""
        variable = nowcaster.task.target
        usual: list[Loss] = [Perceptual()]
        if isinstance(self.term, Perceptual):
            usual.append(self.term)
        found = [loss for loss in usual if loss.beware(variable) is None][:1]
        if not available("alex"):
            return found
        try:
            LPIPS().prepare()
        except WeightsError as error:
            warnings.warn(f"no LPIPS: {error}", UserWarning, stacklevel=2)
            return found
        return [*found, LPIPS()]

    def _labelled(
        self, joined: xr.Dataset, tried: list[float], base: WeightedSum, cost: float
    ) -> xr.Dataset:
        """The result with its weights, the cost of each, and the chosen one."""
        what = {"long_name": f"weight of {self.term.name}", "units": "1"}
        found = joined.assign_coords(weight=("weight", tried, what))
        # where one weight has no event to score, none is: else their means differ
        scored = found["csi"].where(found["csi"].notnull().all("weight"))
        csi = scored.mean("lead").mean("threshold")
        lost = 1 - csi / csi.isel(weight=0)
        found["csi_cost"] = lost.assign_attrs(
            long_name="share of the CSI lost against weight 0", units="1"
        )
        if bool(csi.isnull().any()):
            warnings.warn(
                "no threshold was reached in the validation events, so the CSI tells "
                "nothing of the cost and weight 0 is chosen; give lower thresholds=, "
                "or events with more rain",
                UserWarning,
                stacklevel=4,
            )
        kept = [w for w, c in zip(tried, lost.values, strict=True) if c <= cost]
        chosen = max(kept, default=0.0)
        if chosen and "perceptual" in found:
            apart = found["perceptual"].mean("lead")
            before, after = (float(apart.sel(weight=w)) for w in (0.0, chosen))
            if after >= before:
                warnings.warn(
                    f"the chosen weight {weight_text(chosen)} costs little CSI, but is "
                    f"no sharper than weight 0 (perceptual distance {after:.4g}, "
                    f"without it {before:.4g}); train longer, or on more events",
                    UserWarning,
                    stacklevel=4,
                )
        found.attrs |= {
            "term": self.term.name,
            "cost": cost,
            "chosen_weight": chosen,
            "recipe": self._name(base, chosen),
            "comment": (
                "scored on the validation events, which also chose the epochs and the "
                "weight"
            ),
        }
        found.attrs.pop("sweep", None)
        return found

    def _name(self, base: WeightedSum, weight: float) -> str:
        """What the nowcaster of a weight is called."""
        recipe = self.nowcaster.recipe
        if recipe is None:
            return self._made(base, weight).name
        terms = tuple(t for t in recipe.terms if t.name != self.term.name)
        more = (Term(self.term.name, weight),) if weight else ()
        return str(Recipe(recipe.network, (*terms, *more)))


def _told(term: Loss) -> list[Any]:
    """What tells a term from others of its name."""
    return [term.name, term.options() if term.digest is None else term.digest]


def _pixels(loss: WeightedSum) -> WeightedSum:
    return WeightedSum(tuple(t for t in loss.terms if t.loss.kind == "pixel"))


def _condensed(scores: xr.Dataset, log: Any) -> xr.Dataset:
    """What is kept of scores and log."""
    kept = scores[[name for name in SCORES if name in scores]].drop_vars("forecast")
    epochs = np.arange(1, len(log) + 1)
    for column, name in CURVES.items():
        if column in log:
            kept[name] = xr.DataArray(
                log[column].to_numpy(dtype=float),
                dims="epoch",
                coords={"epoch": epochs},
                attrs={"long_name": name.replace("_", " "), "units": "1"},
            )
    return kept


def _read(path: Path, identity: dict[str, Any]) -> xr.Dataset:
    """Scores that were kept, if they are of this sweep."""
    try:
        with xr.open_dataset(path, engine="h5netcdf") as opened:
            held = opened.load()
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read ({error}), wanted the scores of a weight; "
            "delete it"
        ) from error
    before = json.loads(held.attrs.pop("sweep", "{}"))
    wanted = json.loads(json.dumps(identity))
    keys = {**wanted, **before}
    if differ := [k for k in keys if before.get(k) != wanted.get(k)]:
        raise CheckpointError(
            f"{str(path)!r} is of another sweep, which differs in "
            f"{' and '.join(differ)}; name another folder, or delete this one"
        )
    return held
