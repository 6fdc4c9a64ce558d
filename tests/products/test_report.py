"""The report of a footprint: what it tells, and that it is one file."""

import base64
import re

import numpy as np
import pytest
import xarray as xr
from tests.products.pages import COLUMNS, ROWS, Elements, dataset, footprint

from stormfusion import Catalog, Footprint, Nowcaster
from stormfusion.products.pages.ground import Ground
from stormfusion.products.pages.verdict import verification_sheet
from stormfusion.products.pages.words import NOTHING, TIMES
from stormfusion.verification import economic_value, roc

NASTY = "</style></script><b>bold</b>"


def cells(text: str, title: str) -> list[list[str]]:
    """The rows of a table under a heading."""
    table = text.split(f"<h2>{title}</h2>")[1].split("</table>", maxsplit=1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.S)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]


def observed() -> xr.DataArray:
    """Frames in which the first hazard comes where it was likely at that lead."""
    data = dataset()
    rain = xr.where(data.probability[0] >= 0.45, 8.0, 0.0)
    return rain.drop_vars("hazard").rename("rain_rate").assign_attrs(units="mm h-1")


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "storm.html"
    spots = {"Here": (46.1, 8.2), "Far": (0.0, 0.0)}
    return footprint().report(path, places=spots).read_text(encoding="utf-8")


def test_a_report_tells_each_hazard(report: str) -> None:
    data = dataset()
    head, first, second = cells(report, "Hazards")
    assert head[-1] == "earliest median arrival"
    assert first[:2] == ["rain rate ≥ 5 mm h⁻¹", "100 %"]
    for row, hazard in ((first, 0), (second, 1)):
        for cell, level in zip(row[3:6], (0.1, 0.5, 0.9), strict=True):
            area = int((data.window_probability[hazard] >= np.float32(level)).sum())
            assert float(cell.removesuffix(" km²").replace(",", "")) == pytest.approx(
                area, abs=0.5, rel=5e-3
            )
        assert row[6] == "+10 min"


def test_the_largest_probability_is_where_it_is(report: str) -> None:
    data = dataset().window_probability[0]
    share = int((data == 1.0).sum())
    assert cells(report, "Hazards")[1][2] == f"{share} pixels"


def test_the_only_largest_probability_is_where_it_is(tmp_path) -> None:
    made = dataset()
    made["window_probability"] = 0.9 * made.window_probability
    made["window_probability"][0, 12, 25] = 1.0
    data = made.window_probability[0]
    report = Footprint(made).report(tmp_path / "storm.html").read_text("utf-8")
    text = cells(report, "Hazards")[1][2]
    north, east = map(float, re.findall(r"[\d.]+", text))
    row, column = round((north - 46) * 111.15), round((east - 8) * 77.46)
    assert float(data[row, column]) == 1.0


def test_a_report_tells_of_places(report: str) -> None:
    data = dataset()
    _, here, far = cells(report, "Places")
    here_is = data.isel(y=11, x=15)
    risk = f"{100 * float(here_is.window_probability[0]):.0f} %"
    soon = f"+{float(here_is.arrival[0]):g} min"
    assert here[:4] == ["Here", "46.10° N, 8.20° E", risk, soon]
    assert far[2:] == ["outside"] * 4


def test_rows_may_run_either_way(report: str, tmp_path) -> None:
    turned = Footprint(dataset().isel(y=slice(None, None, -1), x=slice(None, None, -1)))
    spots = {"Here": (46.1, 8.2), "Far": (0.0, 0.0)}
    text = turned.report(tmp_path / "storm.html", places=spots).read_text("utf-8")
    for title in ("Hazards", "Places"):
        assert cells(text, title) == cells(report, title)


def test_a_report_tells_where_it_comes_from(report: str) -> None:
    facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", report))
    assert facts["Reference time"] == "2019-06-01 12:00 UTC"
    assert facts["Members"] == "20"
    assert facts["Recipe"] == "steps"
    assert facts["Domain"] == f"{COLUMNS} {TIMES} {ROWS} pixels of 1 km"
    assert "from 2019-06-01 12:00 UTC" in report


def test_a_report_asks_for_no_network(report: str) -> None:
    assert "default-src 'none'" in report
    assert re.findall(r"\bhttps?://", report) == []
    assert not {"script", "link", "iframe"} & set(Elements(report).tags)
    pictures = re.findall(r'src="data:([a-z+/]+);base64,([^"]+)"', report)
    assert [kind for kind, _ in pictures] == ["image/png", "image/svg+xml"]
    assert base64.b64decode(pictures[0][1])[:4] == b"\x89PNG"
    assert len(re.findall(r'<img alt="[^"]+"', report)) == len(pictures)


def test_a_report_shows_how_true_calibrated_probabilities_were(tmp_path) -> None:
    told = np.linspace(0.05, 0.95, 10)
    names = ("forecast", "observed", "count")
    parts = (told, told**2, np.full(10, 99.0))
    unknown = [np.nan, np.nan, 0.0]
    past = {
        f"reliability_{name}": (
            ("hazard", "bin"),
            [part, np.full(10, none)],
            {"comment": "of past forecasts, held out"},
        )
        for name, part, none in zip(names, parts, unknown, strict=True)
    }
    path = tmp_path / "storm.html"
    text = Footprint(dataset().assign(past)).report(path).read_text(encoding="utf-8")
    sheet = text.split("How true it was before")[1]
    assert "of past forecasts, held out" in sheet
    # of the second hazard nothing is known
    assert sheet.count("<figure") == 1
    assert "How true" not in footprint().report(path).read_text(encoding="utf-8")


def test_a_title_is_a_text(tmp_path) -> None:
    for write in (footprint().report, footprint().to_html, footprint().animate):
        path = tmp_path / ("storm.gif" if "animate" in str(write) else "storm.html")
        with pytest.raises(TypeError, match=r"title is 5, wanted a text"):
            write(path, title=5)
        assert not path.exists()


def test_texts_are_only_texts(tmp_path) -> None:
    data = dataset().assign_coords(hazard=[NASTY, "rain_rate >= 20 mm h-1"])
    data.attrs["recipe"] = NASTY
    path = Footprint(data).report(
        tmp_path / "storm.html", title=NASTY, places={NASTY: (46.1, 8.2)}
    )
    tags = Elements(path.read_text(encoding="utf-8")).tags
    assert "b" not in tags
    assert "script" not in tags


def test_what_is_missing_is_left_out(tmp_path) -> None:
    data = dataset()[["percentile", "window_percentile"]].drop_vars(
        "hazard", errors="ignore"
    )
    text = Footprint(data).report(tmp_path / "storm.html").read_text("utf-8")
    assert "<h2>" not in text
    assert "<img" in text
    text = (
        Footprint(dataset()[["mean"]])
        .report(tmp_path / "storm.html")
        .read_text("utf-8")
    )
    assert "<img" not in text
    assert "Reference time" in text


def test_a_hazard_that_comes_nowhere_or_is_unknown(tmp_path) -> None:
    data = dataset()
    data["window_probability"] = data["window_probability"].copy()
    data["window_probability"][0] = 0.0
    data["window_probability"][1] = np.nan
    data["arrival"][0] = np.nan
    text = Footprint(data).report(tmp_path / "storm.html").read_text("utf-8")
    _, never, unknown = cells(text, "Hazards")
    assert never[1:] == ["0 %", NOTHING, "0 km²", "0 km²", "0 km²", "none"]
    assert unknown[1:3] == ["no data", NOTHING]
    assert unknown[-1] == "none"


def test_a_report_verifies(tmp_path) -> None:
    made = footprint()
    text = made.report(tmp_path / "storm.html", observed()).read_text("utf-8")
    scores = made.verify(observed())
    head, first, second = cells(text, "Scores")
    assert head[1:4] == ["Brier score", "Brier skill", "ROC area"]
    assert float(first[1]) == pytest.approx(float(scores.window_brier[0]), rel=6e-3)
    # the second hazard never came
    assert second[3] == NOTHING
    # widths are those of the picture beside, in km as pixels are of 1 km
    assert head[-3:] == ["FSS, 1 km", "FSS, 5 km", "FSS, 17 km"]
    assert first[head.index("useful from")].endswith(" km")
    assert second[head.index("useful from")] == "no scale"
    for words in ("Reliability", "From which scale on", "Brier skill by lead time"):
        assert words in text
    assert text.count('<article class="sheet">') == 2


def test_all_scores_that_are_there_are_drawn() -> None:
    made = footprint()
    ground, hazard = Ground.of(made.dataset), made.dataset.hazard
    came = observed().max("lead", skipna=False)
    curves, worth = [], []
    for number in range(2):
        risk = made.dataset.window_probability[number].drop_vars("hazard")
        truth = xr.where(came >= (5, 8)[number], 1.0, 0.0).where(came.notnull())
        curves.append(roc(risk, truth, over=("y", "x"), bins=10)[["pod", "pofd"]])
        worth.append(economic_value(risk, truth, over=("y", "x")))
    curve = xr.concat(curves, "hazard").reset_coords(drop=True)
    curve = curve.rename(pod="window_pod", pofd="window_pofd")
    value = xr.concat(worth, "hazard").reset_coords(drop=True)
    scores = curve.assign(window_economic_value=value, hazard=hazard.values)
    text = verification_sheet(scores, ground)
    assert "What it tells apart" in text
    assert "What it is worth" in text
    # what has other dimensions than a picture is left out
    text = verification_sheet(curve.rename(bin="step").assign(hazard=hazard), ground)
    assert "<img" not in text
    text = verification_sheet(made.verify(observed())[["window_brier"]], ground)
    assert "<img" not in text
    assert "Brier score" in text


def test_observations_are_checked_before_anything_is_written(tmp_path) -> None:
    with pytest.raises(ValueError, match="rename one"):
        footprint().report(tmp_path / "storm.html", xr.Dataset())
    assert list(tmp_path.iterdir()) == []


def test_a_nowcast_is_reported_and_verified(tmp_path) -> None:
    catalog = Catalog.synthetic(events=3, size=64)
    nowcaster = Nowcaster("persistence").fit(catalog, progress=False)
    event = catalog[0]
    made = nowcaster.footprint(
        event, "vil >= 3.5 kg m-2", members=5, reference_time=event.time[12]
    )
    path = made.report(tmp_path / "storm.html", event["vil"])
    assert "How good it was" in path.read_text("utf-8")


def test_a_report_says_how_much_is_unknown(tmp_path) -> None:
    path = tmp_path / "storm.html"

    def told(data: xr.Dataset) -> str:
        return Footprint(data).report(path).read_text("utf-8")

    data = dataset()
    words = "5 % of the map is unknown for the window"  # 2 of 40 columns
    assert words in told(data)
    assert "lead times know more" not in told(data)
    assert "of the map is unknown" not in told(data.fillna({"window_probability": 0}))
    data["window_probability"] = data.window_probability.where(data.x > 10e3)
    text = told(data)  # 11 of 40 columns, of which leads know 9
    assert "28 % of the map is unknown for the window" in text
    assert "The lead times know more of it" in text
    data["window_probability"][1] = np.nan
    assert "28 % to 100 % of the map is unknown" in told(data)


def test_a_width_of_no_use_is_told_in_words() -> None:
    made = footprint()
    scores = made.verify(observed())
    scores["window_skillful_scale"][:] = [np.inf, 4.2]
    sheet = verification_sheet(scores, Ground.of(made.dataset))
    _, first, second = cells(sheet, "Scores")
    place = cells(sheet, "Scores")[0].index("useful from")
    assert (first[place], second[place]) == ("no scale", "4.2 km")
    bare = Ground.of(made.dataset.drop_vars(["y", "x", "crs"]))
    rows = cells(verification_sheet(scores, bare), "Scores")
    assert rows[2][place] == "4.2 pixels"
    assert rows[0][-3:] == ["FSS, 1 pixel", "FSS, 5 pixels", "FSS, 17 pixels"]


def test_reliability_has_the_most_room(tmp_path) -> None:
    text = footprint().report(tmp_path / "storm.html", observed()).read_text("utf-8")
    figures = re.findall(r'<figure class="([a-z ]*)"><figcaption>(.*?)<', text)
    assert ("whole", "Reliability") in figures
    kinds = {words: kind for kind, words in figures}
    assert [kind for kind in kinds.values() if kind == "whole"] == ["whole"]
    one = Footprint(dataset().isel(hazard=[0]))
    text = one.report(tmp_path / "storm.html", observed()).read_text("utf-8")
    assert '<figure class="half high"><figcaption>Reliability' in text
