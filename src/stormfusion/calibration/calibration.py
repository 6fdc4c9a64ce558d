"""A fitted calibration: applied to members and probabilities, kept in files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from stormfusion import checkpoint
from stormfusion.calibration.agreeing import agree
from stormfusion.calibration.members import MemberMap
from stormfusion.calibration.tables import mapped_members
from stormfusion.errors import CheckpointError
from stormfusion.hazards import Hazard


@dataclass(frozen=True, eq=False)
class Calibration:
    """
    What makes an ensemble's members and probabilities true, fitted on past forecasts.

    Parameters
    ----------
    mapping
        What is done to members.
    curves
        By hazard: the calibrated probability of each share of the members, from none to
        all, by lead and, last, over the window.
    report
        What it did to the forecasts it was fitted on, and to those held out.
    """

    mapping: MemberMap
    curves: dict[str, NDArray[np.float64]]
    report: xr.Dataset

    @property
    def variable(self) -> str:
        """Of the members."""
        return self.mapping.variable

    @property
    def leads(self) -> int:
        """How many there are."""
        return len(self.mapping.spread)

    def __repr__(self) -> str:
        return f"<Calibration of {self.variable}: {self.text()}>"

    def text(self) -> str:
        """What it is, on what it was fitted, and what it did, in a sentence."""
        strength, spread = self.mapping.strength, self.mapping.spread
        parts = []
        if strength.any():
            some = int((strength > 0).sum())
            parts.append(f"quantile mapping of {some} of {len(strength)} leads")
        if self.mapping.spreads:
            least, most = f"{spread.min():g}", f"{spread.max():g}"
            span = least if least == most else f"{least} to {most}"
            parts.append(f"spread times {span}")
        if not parts:
            parts.append("members as they are")
        plain = [name for name, curve in self.curves.items() if _is_plain(curve)]
        if changed := [name for name in self.curves if name not in plain]:
            parts.append(f"probabilities of {'; '.join(changed)}")
        if plain:
            parts.append(f"probabilities as they are of {'; '.join(plain)}")
        told = self.report.attrs
        text = f"{', '.join(parts)}; fitted on {_counted(told['cases'], 'forecast')} "
        if "recipe" in told:
            text += f"by {told['recipe']} "
        text += f"of {_counted(told['groups'], 'event')}"
        crps = self.report["crps"].mean("lead")
        text += f"; CRPS {_change(crps, 'fitted')} on them, {_change(crps, 'held out')}"
        text += " held out"
        for name in self.curves:
            score = self.report.sel(hazard=name)
            brier, window = score["brier"].mean("lead"), score["window_brier"]
            text += f"; Brier score of {name} {_change(brier, 'fitted')} on them, "
            text += f"{_change(brier, 'held out')} held out, over the window "
            text += f"{_change(window, 'fitted')} and {_change(window, 'held out')}"
        return text

    def check(self, members: xr.DataArray) -> None:
        """Make sure that it is of such a forecast; a sentence says why it is not."""
        self.check_task(str(members.name), members.sizes["lead"], of="the ensemble")
        known = self.report.coords.get("lead")
        if known is not None and "lead" in members.coords:
            own = members["lead"].to_numpy().astype("timedelta64[s]")
            if (own != known.to_numpy().astype("timedelta64[s]")).any():
                raise ValueError(
                    "the calibration is of other lead times than the ensemble; fit one "
                    "on such forecasts"
                )

    def check_task(self, variable: str, leads: int, *, of: str) -> None:
        """Make sure that it is of forecasts of a variable, of so many leads."""
        if variable != self.variable:
            raise ValueError(
                f"the calibration is of {self.variable}, {of} of {variable}; fit one "
                f"on forecasts of {variable}"
            )
        if leads != self.leads:
            raise ValueError(
                f"the calibration is of {self.leads} leads, {of} has {leads}; fit one "
                "on such forecasts"
            )

    def members(self, values: Any) -> Iterator[NDArray[np.float32]]:
        """
        Calibrated members, physical values one after the other.

        Parameters
        ----------
        values
            The members; they are gone through twice where the spread changes.
        """
        yield from mapped_members(values, self.mapping)

    def probability(
        self, hazard: str | Hazard, share: NDArray[np.floating[Any]]
    ) -> NDArray[np.floating[Any]]:
        """
        The calibrated probability of a hazard.

        Parameters
        ----------
        hazard
            One without a curve keeps its probability.
        share
            Of the calibrated members that tell it, (lead, ...).
        """
        parts = [self._told(str(hazard), part, n) for n, part in enumerate(share)]
        return np.stack(parts).astype(share.dtype)

    def _told(
        self, hazard: str, share: NDArray[np.floating[Any]], place: int
    ) -> NDArray[np.floating[Any]]:
        curve = self.curves.get(hazard)
        if curve is None:
            return share
        nodes = np.linspace(0.0, 1.0, curve.shape[1])
        return np.asarray(np.interp(share, nodes, curve[place]))

    def footprint(self, dataset: xr.Dataset) -> xr.Dataset:
        """
        A footprint's dataset with calibrated probabilities.

        Those of hazards without a curve stay as they are, and `calibrated` says so.
        Where curves make one hazard likelier than another that never fails to come with
        it, such as one of a lower threshold or within some distance, the harder of two
        that are calibrated is lowered, and one that is not is moved to where the others
        leave it room. A window is at least as likely as each of its leads.

        Parameters
        ----------
        dataset
            Of a footprint of calibrated members.
        """
        if "hazard" not in dataset.coords:
            return dataset.assign_attrs(calibration=self.text())
        names = [str(h) for h in dataset["hazard"].values]
        found = dataset.copy()
        for name in ("probability", "window_probability"):
            if name in dataset:
                found[name] = dataset[name].copy(data=dataset[name].to_numpy().copy())
        for number, name in enumerate(names):
            window = found["window_probability"].to_numpy()
            window[number] = self._told(name, window[number], -1)
            if "probability" in found:
                chance = found["probability"].to_numpy()
                chance[number] = self.probability(name, chance[number])
        self._agree(found, names)
        has = np.array([name in self.curves for name in names], dtype=np.int8)
        told = "whether the probabilities of the hazard are calibrated"
        found["calibrated"] = (("hazard",), has, {"units": "1", "long_name": told})
        return self._with_reliability(found, names).assign_attrs(
            calibration=self.text()
        )

    def _agree(self, dataset: xr.Dataset, names: list[str]) -> None:
        """No hazard is likelier than one it implies, and no lead than the window."""
        hazards = [Hazard.parse(name) for name in names]
        calibrated = [name in self.curves for name in names]
        window = dataset["window_probability"].to_numpy()
        agree(window, hazards, calibrated)
        if "probability" not in dataset:
            return
        chance = dataset["probability"].to_numpy()
        agree(chance, hazards, calibrated)
        for number in range(len(names)):
            most = np.fmax.reduce(chance[number], axis=0)
            known = ~np.isnan(window[number])
            window[number][known] = np.fmax(window[number], most)[known]
        self._last(dataset, hazards, chance)

    @staticmethod
    def _last(dataset: xr.Dataset, hazards: list[Hazard], chance: NDArray[Any]) -> None:
        """The time for which hazards last, of the new probabilities."""
        if "duration" not in dataset:
            return
        minutes = dataset["lead"].to_numpy().astype("timedelta64[s]").astype(float) / 60
        steps = np.diff(minutes, prepend=0.0).astype(np.float32)
        values = np.tensordot(steps, chance, axes=(0, 1))
        for number, hazard in enumerate(hazards):
            if hazard.window is not None:
                values[number] = np.nan
        dataset["duration"] = dataset["duration"].copy(data=values.astype(np.float32))

    def _with_reliability(self, dataset: xr.Dataset, names: list[str]) -> xr.Dataset:
        """The reliability of each hazard, of forecasts held out where there were."""
        if not self.curves:
            return dataset
        stage = "held out" if self.report.attrs["groups"] > 1 else "fitted"
        for name in ("forecast", "observed", "count"):
            held = self.report[f"reliability_{name}"].sel(stage=stage)
            values = np.full((len(names), held.sizes["bin"]), np.nan)
            for number, hazard in enumerate(names):
                if hazard in self.curves:
                    values[number] = held.sel(hazard=hazard).to_numpy()
            attrs = {**held.attrs, "comment": f"of past forecasts, {stage}"}
            dataset[f"reliability_{name}"] = (("hazard", "bin"), values, attrs)
        return dataset

    def save(self, path: str | Path) -> Path:
        """Write it, whole or not at all; returns the path."""
        tensors, header = self.to_tensors()
        return checkpoint.save(path, tensors, {"calibration": header})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """
        Read a calibration that `save` wrote; no code in it is run.

        Raises
        ------
        CheckpointError
            If it is cut short, or none of ours.
        """
        tensors, header = checkpoint.load(path)
        if "calibration" not in header or "task" in header:
            raise CheckpointError(
                f"{str(path)!r} holds no calibration, wanted a file of "
                "Calibration.save; a nowcaster brings its own with Nowcaster.load"
            )
        return cls.from_tensors(tensors, header["calibration"])

    def to_tensors(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What a checkpoint holds of it."""
        mapping = self.mapping
        tensors = {
            "calibration.table": torch.from_numpy(mapping.table.copy()),
            "calibration.strength": torch.from_numpy(mapping.strength.copy()),
            "calibration.spread": torch.from_numpy(mapping.spread.copy()),
        }
        for number, curve in enumerate(self.curves.values()):
            tensors[f"calibration.curve{number}"] = torch.from_numpy(curve.copy())
        report = self.report.copy()
        if "lead" in report.coords:
            seconds = report["lead"].to_numpy().astype("timedelta64[s]").astype(int)
            report = report.assign_coords(lead=seconds)
        header = {
            "variable": self.variable,
            "hazards": list(self.curves),
            "report": json.loads(json.dumps(report.to_dict(), default=str)),
        }
        return tensors, header

    @classmethod
    def from_tensors(
        cls, tensors: dict[str, torch.Tensor], header: dict[str, Any]
    ) -> Self:
        """What `to_tensors` told."""
        try:
            table, strength, spread = (
                tensors[f"calibration.{name}"].numpy()
                for name in ("table", "strength", "spread")
            )
            curves = {
                name: tensors[f"calibration.curve{number}"].numpy()
                for number, name in enumerate(header["hazards"])
            }
            report = xr.Dataset.from_dict(header["report"])
            if "lead" in report.coords:
                lead = report["lead"].to_numpy().astype("timedelta64[s]")
                report = report.assign_coords(lead=lead.astype("timedelta64[ns]"))
                report["lead"].attrs = {"standard_name": "forecast_period"}
            mapping = MemberMap(header["variable"], table, strength, spread)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(
                f"a calibration cannot be understood ({type(error).__name__}: {error})"
                "; fit it again"
            ) from error
        return cls(mapping, curves, report)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _is_plain(curve: NDArray[np.float64]) -> bool:
    """Whether probabilities stay as they are."""
    return bool(np.allclose(curve, np.linspace(0.0, 1.0, curve.shape[1])))


def _change(score: xr.DataArray, stage: str) -> str:
    before, after = float(score.sel(stage="raw")), float(score.sel(stage=stage))
    if not (np.isfinite(before) and np.isfinite(after)) or before == 0:
        return "not known"
    return f"{after / before - 1:+.1%}"
