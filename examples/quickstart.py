"""
From radar to a verified probability footprint.

Run it as it is for synthetic storms, or with the path of real radar: a file, a folder
or a pattern of netCDF, zarr or GRIB files, or a SEVIR root. It trains for about a
minute, predicts, makes an ensemble and a footprint, scores them against persistence on
storms it has not seen, and writes `footprint.nc`, `footprint.png` and `nowcast.png`.
"""

import argparse
from pathlib import Path

import numpy as np

from stormfusion import Catalog, Nowcaster, plot
from stormfusion.data.task import RADAR, interval

HISTORY, LEADS = 6, 6
THRESHOLDS = {
    "vil": (0.8, 3.5, 12.0),
    "rain_rate": (0.5, 1.0, 5.0),
    "reflectivity": (10.0, 20.0, 35.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("radar", nargs="?", help="path of real radar; else synthetic")
    parser.add_argument("--output", default="output", help="folder for what is written")
    parser.add_argument("--minutes", type=float, default=1.0, help="training time")
    settings = parser.parse_args()
    output = Path(settings.output)
    output.mkdir(parents=True, exist_ok=True)

    catalog = open_radar(settings.radar) if settings.radar else Catalog.synthetic(32)
    train, test = catalog.split(0.75)
    print(f"learn from {train}\ntest on    {test}\n")

    nowcaster = Nowcaster("unet+perceptual", history=HISTORY, leads=LEADS)
    nowcaster.fit(train, time_limit=60 * settings.minutes)
    print(nowcaster, "\n")

    event = rainiest(test, nowcaster.task.target)
    now = event.time[HISTORY - 1]  # nothing after this frame is seen
    forecast = nowcaster.predict(event, reference_time=now)
    ensemble = nowcaster.ensemble(event, members=20, reference_time=now)
    target = nowcaster.task.target
    units = event[target].attrs["units"]
    thresholds = THRESHOLDS[target]
    hazards = [f"{target} >= {threshold} {units}" for threshold in thresholds[1:]]
    footprint = nowcaster.footprint(event, *hazards, members=100, reference_time=now)
    footprint.to_netcdf(output / "footprint.nc")
    footprint.plot().savefig(output / "footprint.png", dpi=110)

    observed = event[target].sel(time=forecast.time.values).load()
    observed = observed.rename(time="lead").assign_coords(lead=forecast.lead.values)
    rows = {
        "nowcast": forecast[target],
        "one member": ensemble.values.isel(member=0),
    }
    title = f"{nowcaster.name} from {now:%Y-%m-%d %H:%M} UTC"
    plot.strip(rows, observed=observed, title=title, path=output / "nowcast.png")

    scores = nowcaster.evaluate(test, thresholds=thresholds)
    table = scores[["csi", "bias"]].to_dataframe()[["csi", "bias"]]
    frame = table.unstack("forecast").round(3)
    frame.index = frame.index.set_levels(
        [f"+{int(t / np.timedelta64(1, 'm'))} min" for t in scores.lead.values],
        level="lead",
    )
    print(f"\nScores on {int(scores.cases)} hindcasts of storms not learned from; ")
    print(f"an event is {target} >= threshold [{units}]\n{frame.to_string()}\n")
    for words, name in (("CRPS", "crps"), ("perceptual distance", "perceptual")):
        score = scores[name].mean("lead")
        both = ", ".join(f"{s:.3f} of {s.forecast.values!s}" for s in score)
        print(f"mean {words} [{score.attrs.get('units', units)}]: {both}")
    print(f"\nwritten: {', '.join(str(p) for p in sorted(output.iterdir()))}")


def open_radar(path: str) -> Catalog:
    """Open radar and cut it into events long enough for a window, rainiest first."""
    catalog = Catalog.open(path)
    if "event_type" in catalog.table:  # SEVIR, whose events are cut already
        try:
            catalog[0]["vil"].isel(time=0).load()
        except OSError as error:
            raise SystemExit(
                f"{path} lists events, but their files are not here: {error}"
            ) from error
        return catalog[:64]
    kinds: dict[tuple[str, int], list[str]] = {}
    for event in catalog:
        target = next((v for v in RADAR if v in event.variables), None)
        if target in THRESHOLDS and len(event.time) > HISTORY + LEADS:
            step = interval(event.frames[target].time)
            kinds.setdefault((target, step), []).append(event.id)
    if not kinds:
        raise SystemExit(
            f"{path} holds no radar sequence of more than {HISTORY + LEADS} frames"
        )
    # one model maps one variable at one interval: take what there is most of
    target, step = max(kinds, key=lambda kind: len(kinds[kind]))
    chosen = [catalog[name] for name in kinds[target, step]]
    rows, columns = (
        min(e.frames[target].grid.shape[i] for e in chosen) for i in (0, 1)
    )
    pieces = [
        Catalog.from_xarray(
            event[target].to_dataset(),
            duration=f"{step * (HISTORY + LEADS - 1)}s",
            size=(min(rows, 256), min(columns, 256)),
            prefix=event.id,
        )
        for event in chosen
    ]
    together = pieces[0]
    for piece in pieces[1:]:
        together = together | piece
    wettest = together.table["wet_fraction"].rank(ascending=False, method="first")
    return together.where(lambda table: wettest <= 48)


def rainiest(catalog: Catalog, target: str):
    """The event with the most rain at the time of the forecast."""
    wet = [float(e[target].isel(time=HISTORY - 1).max()) for e in catalog]
    return catalog[int(np.nanargmax(wet))]


if __name__ == "__main__":
    main()
