"""Scores of ours and of pysteps on the same pixels, and their tables."""

import numpy as np
import peer
import xarray as xr

from stormfusion.verification import (
    band_score,
    categorical_scores,
    contingency,
    crps_score,
    crps_sums,
    fss_score,
    fss_sums,
    power_sums,
    rank_score,
    rank_sums,
)

THRESHOLDS = (1.0, 5.0)
SCALE = 9
BAND = (4, 16)
"""Wavelengths whose power is compared [pixels]."""
MINUTES = np.arange(5, 61, 5)
SHOWN = np.arange(10, 61, 10)
LEAST = 0.02
"""Scores of pysteps below which no ratio is taken."""

Forecasts = dict[str, np.ndarray]


def tables(forecasts: Forecasts, observed: np.ndarray) -> xr.Dataset:
    """Hits and misses of each by lead, and how many of the observed pixels it knew."""
    rows = []
    for lead, came in enumerate(observed):
        there = np.isfinite(came)
        known = {n: np.isfinite(f[lead]) & there for n, f in forecasts.items()}
        valid = np.logical_and.reduce(list(known.values()))
        o = labelled(came, valid)
        counts = [
            contingency(labelled(f[lead], valid), o, threshold=THRESHOLDS).assign(
                known=known[name].sum(), observed=there.sum()
            )
            for name, f in forecasts.items()
        ]
        rows.append(xr.concat(counts, "forecast"))
    return xr.concat(rows, "lead").assign_coords(forecast=list(forecasts))


def dispersion(forecasts: Forecasts, observed: np.ndarray) -> xr.Dataset:
    """Sums by lead of what tells how good members are."""
    rows = []
    for lead, came in enumerate(observed):
        valid = np.isfinite(came)
        for f in forecasts.values():
            valid &= np.isfinite(f[:, lead]).all(0)
        o, states = labelled(came, valid), []
        for f in forecasts.values():
            members = labelled(f[:, lead], valid)
            parts = (
                crps_sums(members, o),
                rank_sums(members, o, threshold=peer.WET),
                fss_sums(members, o, threshold=1.0, scale=SCALE),
                # in decibels from what is rain, and dry where it is missing
                power_sums(floored(members), floored(o), variable="rain_rate"),
            )
            states.append(xr.merge(parts, compat="override", combine_attrs="drop"))
        rows.append(xr.concat(states, "forecast"))
    return xr.concat(rows, "lead").assign_coords(forecast=list(forecasts))


def labelled(values: np.ndarray, valid: np.ndarray) -> xr.DataArray:
    """Values where they count."""
    dims = ("member", "y", "x")[-values.ndim :]
    return xr.DataArray(np.where(valid, values, np.float32(np.nan)), dims=dims)


def floored(values: xr.DataArray) -> xr.DataArray:
    return values.fillna(0.0).clip(min=peer.WET)


def uneven(ranks: np.ndarray) -> float:
    """Distance of a rank histogram from a flat one, 0 if it is flat."""
    share = ranks / ranks.sum()
    return float(((share - 1 / share.size) ** 2).sum() * share.size)


def at(minutes: np.ndarray, own: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Scores at other leads than their own, linear between two of them."""
    return np.interp(minutes, own, values, left=np.nan)


class Table:
    """
    Scores of many sequences, and their means.

    Parameters
    ----------
    title
        Of the table.
    """

    def __init__(self, title: str) -> None:
        self.title = title


class CSI(Table):
    """Critical success indices of many sequences, and their means."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.found: dict[tuple[float, str], np.ndarray] = {}
        self.known: dict[str, np.ndarray] = {}

    def add(self, name: str, minutes: np.ndarray, sums: xr.Dataset) -> None:
        """Of one sequence, with its leads."""
        csi = categorical_scores(sums.drop_vars(["known", "observed"])).csi
        for threshold in THRESHOLDS:
            both = csi.sel(threshold=threshold).transpose("forecast", "lead").values
            found = np.stack([at(MINUTES, minutes, row) for row in both])
            # without an event of its own or observed a forecast has none: neither has
            found[:, np.isnan(found).any(0)] = np.nan
            self.found[threshold, name] = found
        self.known[name] = (sums.known / sums.observed).isel(lead=-1).values

    def __str__(self) -> str:
        lines = [
            f"\n### {self.title}\n",
            "CSI of ours, in brackets divided by that of pysteps; *known* is the share "
            "of the observed pixels that ours and pysteps forecast at the last lead.\n",
            row("mm/h", "sequence", *(f"{m} min" for m in MINUTES), "known"),
            "|---" * (3 + MINUTES.size) + "|",
        ]
        for threshold in THRESHOLDS:
            every = []
            for (of, name), both in self.found.items():
                if of == threshold:
                    every.append(both)
                    known = "{:.2f}, {:.2f}".format(*self.known[name])
                    lines.append(row(f"{of:g}", name, *map(beside, *both), known))
            means = map(beside, *np.nanmean(every, axis=0))
            lines.append(row(f"{threshold:g}", "**mean**", *means, ""))
            ours, theirs = np.moveaxis(every, 1, 0)
            ratios = ours / np.where(theirs >= LEAST, theirs, np.nan)
            means = (f"({mean:.3f})" for mean in np.nanmean(ratios, axis=0))
            lines.append(row(f"{threshold:g}", "mean of ratios", *means, ""))
        return "\n".join(lines)


class Members(Table):
    """Scores of ensembles of many sequences, and their means."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.whole: dict[str, np.ndarray] = {}
        self.by_lead: list[list[list[np.ndarray]]] = []

    def add(self, name: str, minutes: np.ndarray, sums: xr.Dataset) -> None:
        """Of one sequence, with its leads."""
        scores = [crps_score(sums), band_score(sums, BAND), fss_score(sums)]
        crps, power, fss = (s.transpose("forecast", "lead").values for s in scores)
        total = sums.sum("lead", keep_attrs=True)
        ranks = rank_score(total).transpose("forecast", "rank").values
        flat = ranks.sum(1) / ranks.shape[1]
        self.whole[name] = np.stack(
            [
                np.nanmean(crps, axis=1),
                [uneven(r) for r in ranks],
                ranks[:, 0] / flat,
                ranks[:, -1] / flat,
                band_score(total, BAND).values,
                fss_score(total).values,
            ]
        )
        self.by_lead.append(
            [[at(SHOWN, minutes, r) for r in score] for score in (crps, power, fss)]
        )

    def __str__(self) -> str:
        lines = [
            f"\n### {self.title}\n",
            "Of each score that of ours and that of pysteps. CRPS [mm/h] is the mean "
            "over leads to 60 min; *uneven* is (M + 1) sum (f - 1 / (M + 1))^2 of the "
            "shares f of ranks, *lowest* and *highest* are those of the end ranks as "
            f"multiples of a flat one's; *power* is that at {BAND[0]} to {BAND[1]} "
            "pixels divided by the observed; FSS is that of 1 mm/h in windows of "
            f"{SCALE} pixels.\n",
            row(
                "sequence",
                *("CRPS", "ratio", "uneven", "lowest", "highest", "power", "FSS"),
            ),
            "|---" * 8 + "|",
        ]
        for name, scores in self.whole.items():
            lines.append(told(name, scores, scores[0, 0] / scores[0, 1]))
        every = np.array(list(self.whole.values()))
        ratio = np.mean(every[:, 0, 0] / every[:, 0, 1])
        lines += [
            told("**mean**", every.mean(0), ratio),
            "\nMeans over sequences by lead; of CRPS that of the ratios.\n",
            row("score", *(f"{m} min" for m in SHOWN)),
            "|---" * (1 + SHOWN.size) + "|",
        ]
        crps, power, fss = np.moveaxis(self.by_lead, 1, 0)
        ratios = np.nanmean(crps[:, 0] / crps[:, 1], axis=0)
        lines.append(row("CRPS, ours / pysteps", *(f"{r:.3f}" for r in ratios)))
        for label, scores in (("power", power), ("FSS", fss)):
            both = np.nanmean(scores, axis=0).T
            lines.append(row(label, *(f"{a:.3f}, {b:.3f}" for a, b in both)))
        return "\n".join(lines)


def told(name: str, scores: np.ndarray, ratio: float) -> str:
    """A row of scores of both, the ratio of the first behind it."""
    first, *others = (f"{ours:.3f}, {theirs:.3f}" for ours, theirs in scores)
    return row(name, first, f"{ratio:.3f}", *others)


def beside(ours: float, theirs: float) -> str:
    """One score, and in brackets as a multiple of another."""
    if np.isnan(ours):
        return ""
    if theirs < LEAST:
        return f"{ours:.3f}"
    return f"{ours:.3f} ({ours / theirs:.3f})"


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
