"""Fitting a calibration: on past forecasts, held out group by group."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from tqdm.auto import tqdm

from stormfusion.calibration.calibration import Calibration
from stormfusion.calibration.cases import Case, Sample, folds_of, made, sampled
from stormfusion.calibration.curves import (
    METHODS,
    Curve,
    Method,
    brier_of,
    chosen,
    identity,
)
from stormfusion.calibration.members import (
    MemberMap,
    applied,
    fit_members,
    scored,
    summed,
)
from stormfusion.calibration.report import reported
from stormfusion.calibration.tables import Table, tabled
from stormfusion.footprint import Means, check_hazards
from stormfusion.hazards import Hazard

Curves = NDArray[np.float64]
"""A curve for each lead and, last, for the window."""
HARM = 0.01
"""By how much a score may get worse on events held out before a warning is given."""


def fit(
    cases: Sequence[Case],
    hazards: Sequence[str | Hazard] = (),
    *,
    method: Method = "auto",
    folds: int = 5,
    pixels: int = 40_000,
    means: Means | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Calibration:
    """
    Fit a calibration on past forecasts.

    Members are mapped first: by quantiles, then in their spread, each where it lowers
    the CRPS. Then each hazard has a curve for its probabilities, where that lowers the
    Brier score. Nothing is made worse on the cases themselves. What it does to others
    is told by cases held out, some groups at a time, for which all is fitted anew; and
    what makes their CRPS, or the Brier score of a hazard, worse is not kept either. So
    they have a say in the choice, and what is told of them flatters a little.

    Parameters
    ----------
    cases
        Past forecasts and what came. They are made twice, where there are hazards.
    hazards
        Whose probabilities have curves.
    method
        `"isotonic"`, `"beta"`, `"none"`, or of these the one with the lowest Brier
        score on cases held out, hazard by hazard and lead by lead: `"auto"`.
    folds
        Parts of the groups that are held out in turn.
    pixels
        On which members are mapped, in all; 1000 of a case at most, drawn at random.
    means
        What hazards of other variables are told by.
    seed
        Of the pixels drawn.
    progress
        Draw a progress bar.

    Returns
    -------
    Calibration
        With `report`, what it did to the cases and to those held out.

    Warns
    -----
    UserWarning
        If a method that was asked for makes a score worse by more than a percent on
        those held out, or a hazard never came.

    Raises
    ------
    ValueError
        If there is no case, a setting is out of range, or a hazard is not to be told
        from the variable.
    """
    if method not in METHODS:
        raise ValueError(
            f"method is {method!r}, wanted one of {', '.join(map(repr, METHODS))}"
        )
    if not cases:
        raise ValueError(
            "got no past forecast to calibrate on, wanted several; give a catalog with "
            "longer events"
        )
    means = Means() if means is None else means
    hazards = [hazards] if isinstance(hazards, str) else hazards
    folded = folds_of([_group(case) for case in cases], max(folds, 1))
    count = max(folded) + 1
    rng = np.random.default_rng(seed)
    some = min(1000, max(pixels // len(cases), 1))
    parts: list[Sample] = []
    found: tuple[Hazard, ...] = ()
    like = None
    bar = tqdm(cases, disable=not progress, desc="calibrate members")
    for case, fold in zip(bar, folded, strict=True):
        members, observed, _ = made(case)
        if like is None:
            like = members.isel(member=0, drop=True)
            found = check_hazards(hazards, str(members.name), means)
        elif like.sizes["lead"] != members.sizes["lead"]:
            raise ValueError(
                f"past forecasts have {like.sizes['lead']} and "
                f"{members.sizes['lead']} leads, wanted as many in each; use one task"
            )
        parts.append(sampled(members, observed, fold=fold, pixels=some, rng=rng))
    assert like is not None
    variable, sample = str(like.name), Sample.joined(parts)
    if not (~np.isnan(sample.observed) & ~np.isnan(sample.members).any(1)).any():
        raise ValueError(
            "no pixel is known in members and observations alike, wanted some to "
            "calibrate on; give past forecasts with observations"
        )
    mapping = fit_members(sample, variable)
    outside = [mapping]
    if count > 1:
        outside = [
            fit_members(sample.of(sample.fold != fold), variable)
            for fold in range(count)
        ]
    scores = _scores(sample, mapping, outside)
    if count > 1 and np.nanmean(scores[2]) > np.nanmean(scores[0]):
        mapping, scores[1:] = _unmapped(mapping), scores[0]
        outside = [mapping] * count
    raw, fitted, apart = _tables(
        cases, folded, found, mapping, outside, means=means, progress=progress
    )
    made_of = _made(fitted, raw, apart, method)
    free = method in ("auto", "none")  # of curves that were not asked for
    if _worse(fitted, raw, made_of.curves) or (
        free and _harms(apart, raw, made_of.held)
    ):
        # mapped members tell a hazard worse whatever is made of them
        mapping, fitted, apart = _unmapped(mapping), raw, raw
        scores[1:] = scores[0]
        made_of = _made(fitted, raw, apart, method)
    report = reported(
        scores,
        raw=raw,
        fitted=fitted,
        apart=apart,
        curves=made_of.curves,
        held_curves=made_of.held,
        hazards=found,
        like=like,
        cases=len(cases),
        groups=len({case.group for case in cases}),
        names=made_of.names,
    )
    _warn(report)
    never = [
        str(hazard)
        for number, hazard in enumerate(found)
        if not sum(table[number, ..., 1].sum() for table in raw)
    ]
    if never:
        warnings.warn(
            f"{'; '.join(never)} came in none of the past forecasts, so that nothing "
            "is known of its probabilities and they stay as they are; give more events",
            UserWarning,
            stacklevel=3,
        )
    return Calibration(
        mapping, {str(h): made_of.curves[n] for n, h in enumerate(found)}, report
    )


@dataclass(frozen=True, eq=False)
class _Made:
    """Curves by hazard, their names by lead, and by fold those of the other folds."""

    curves: list[Curves]
    names: list[list[Method]]
    held: list[list[Curves]]


def _made(
    fitted: Sequence[Table],
    raw: Sequence[Table],
    apart: Sequence[Table],
    method: Method,
) -> _Made:
    """Curves; of those that were to be found none that harms what is held out."""
    curves, names = _curves(fitted, raw, method)
    held = _held_curves(apart, raw, names)
    if method == "auto":
        for hazard, curve in enumerate(curves):
            plain = np.stack([identity(row, row) for row in curve])
            own = _held_costs(apart, [c[hazard] for c in held], hazard)
            if (own > _held_costs(apart, [plain] * len(held), hazard)).any():
                curves[hazard], names[hazard] = plain, ["none"] * len(plain)
                for one in held:
                    one[hazard] = plain
    return _Made(curves, names, held)


def _held_costs(
    tables: Sequence[Table], curves: Sequence[Curves], hazard: int
) -> NDArray[np.float64]:
    """What curves of the other folds leave of a hazard, at the leads and the window."""
    found = np.zeros(2)
    for table, curve in zip(tables, curves, strict=False):
        for lead, one in enumerate(curve):
            (part,) = _parts([table], hazard, lead)
            found[int(lead == len(curve) - 1)] += brier_of(one, *part)
    return found


def _harms(
    apart: Sequence[Table], raw: Sequence[Table], held: Sequence[Sequence[Curves]]
) -> bool:
    """Whether a hazard is told worse than it was where it is held out."""
    for hazard in range(len(held[0]) if held else 0):
        left = [_left(raw, hazard, n) for n in range(len(held[0][hazard]))]
        own = _held_costs(apart, [curves[hazard] for curves in held], hazard)
        if own[0] > sum(left[:-1]) or own[1] > left[-1]:
            return True
    return False


def _warn(report: xr.Dataset) -> None:
    """Tell which score gets worse on events that were held out."""
    scores = {"CRPS": report["crps"].mean("lead")}
    for hazard in report["hazard"].values if "hazard" in report.coords else ():
        own = report.sel(hazard=hazard)
        scores[f"Brier score of {hazard}"] = own["brier"].mean("lead")
        scores[f"Brier score of {hazard} over the window"] = own["window_brier"]
    told = []
    for name, score in scores.items():
        raw, held = (score.sel(stage=stage) for stage in ("raw", "held out"))
        if raw > 0 and held > (1 + HARM) * raw:
            told.append(f"{name} by {float(held / raw - 1):.1%}")
    if told:
        warnings.warn(
            f"on events that were held out the calibration makes the "
            f"{' and the '.join(told)} worse; fit it on more events, or by "
            "method='auto'",
            UserWarning,
            stacklevel=4,
        )


def _group(case: Case) -> str:
    return str(getattr(case, "group", ""))


def _scores(
    sample: Sample, mapping: MemberMap, outside: Sequence[MemberMap]
) -> NDArray[np.float64]:
    """CRPS by lead: of members as they are, mapped, and mapped by those held out."""
    leads, plain = len(mapping.spread), _unmapped(mapping)
    found = np.full((3, leads), np.nan)
    found[0], found[1] = scored(sample, plain), scored(sample, mapping)
    if len(outside) < 2:
        return found
    total = np.zeros((2, leads))
    for fold, held in enumerate(outside):
        own = sample.of(sample.fold == fold)
        total += summed(applied(own.members, held), own.observed)
    found[2] = total[0] / np.maximum(total[1], 1)
    return found


def _tables(
    cases: Sequence[Case],
    folded: Sequence[int],
    hazards: tuple[Hazard, ...],
    mapping: MemberMap,
    outside: Sequence[MemberMap],
    *,
    means: Means,
    progress: bool,
) -> tuple[list[Table], list[Table], list[Table]]:
    """Tables by fold: as told, with members mapped, and mapped by the other folds."""
    if not hazards:
        return [], [], []
    plain = _unmapped(mapping)
    kinds: list[list[Table]] = [[], [], []]
    bar = tqdm(cases, disable=not progress, desc="calibrate probabilities")
    for case, fold in zip(bar, folded, strict=True):
        members, observed, initial = made(case)
        done: dict[int, Table] = {}
        for kind, one in enumerate((plain, mapping, outside[fold])):
            same = id(one) if not one.identity else id(plain)
            if same not in done:
                done[same] = tabled(
                    members,
                    observed,
                    hazards,
                    mapping=one,
                    means=means,
                    initial=initial,
                )
            held = kinds[kind]
            while len(held) <= fold:
                held.append(np.zeros_like(done[same]))
            held[fold] += done[same]
    return kinds[0], kinds[1], kinds[2]


def _unmapped(mapping: MemberMap) -> MemberMap:
    """A map that leaves members as they are."""
    leads = len(mapping.spread)
    return replace(mapping, strength=np.zeros(leads), spread=np.ones(leads))


def _parts(
    tables: Sequence[Table], hazard: int, lead: int
) -> list[tuple[Curve, Curve]]:
    return [(t[hazard, lead, :, 0], t[hazard, lead, :, 1]) for t in tables]


def _left(tables: Sequence[Table], hazard: int, lead: int) -> float:
    """What is left by probabilities as they are told, and a little for rounding."""
    parts = _parts(tables, hazard, lead)
    total = sum(brier_of(identity(*part), *part) for part in parts)
    return total * (1 + 1e-9) + 1e-9


def _worse(
    fitted: Sequence[Table], raw: Sequence[Table], curves: Sequence[Curve]
) -> bool:
    """Whether a hazard is told worse than it was, at some lead."""
    return any(
        sum(brier_of(curve[lead], *part) for part in _parts(fitted, hazard, lead))
        > _left(raw, hazard, lead)
        for hazard, curve in enumerate(curves)
        for lead in range(len(curve))
    )


def _curves(
    tables: Sequence[Table],
    raw: Sequence[Table],
    method: Method | Sequence[Sequence[Method]],
) -> tuple[list[Curves], list[list[Method]]]:
    """Curves and their names, by hazard and lead, of a method or of one for each."""
    if not tables:
        return [], []
    hazards, leads = tables[0].shape[:2]
    curves: list[Curves] = []
    names: list[list[Method]] = []
    for hazard in range(hazards):
        rows: list[Curve] = []
        told: list[Method] = []
        for lead in range(leads):
            parts = _parts(tables, hazard, lead)
            name: Method = "none"
            curve = identity(*parts[0])
            # what came once, or never, says little of how often it comes
            if sum(events.sum() > 0 for _, events in parts) >= min(2, len(parts)):
                most = _left(raw, hazard, lead)
                own = method if isinstance(method, str) else method[hazard][lead]
                name, curve = chosen(parts, own, most=most)
            rows.append(curve)
            told.append(name)
        curves.append(np.stack(rows))
        names.append(told)
    return curves, names


def _held_curves(
    tables: Sequence[Table], raw: Sequence[Table], names: Sequence[Sequence[Method]]
) -> list[list[Curves]]:
    """Curves for each fold, of the others, by the methods of the curves of all."""
    if len(tables) < 2:
        return []
    found = []
    for fold in range(len(tables)):
        rest, plain = (
            [t for number, t in enumerate(kind) if number != fold]
            for kind in (tables, raw)
        )
        found.append(_curves(rest, plain, names)[0])
    return found
