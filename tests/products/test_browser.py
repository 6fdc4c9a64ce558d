"""The interactive map in a browser, from a file and without a network."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.products.browsing import color, opened, pixels, place, shown, told
from tests.products.pages import COLUMNS, ROWS, dataset, footprint

from stormfusion import Footprint
from stormfusion.plot.colors import probabilities
from stormfusion.products.pages.layers import table_colors
from stormfusion.products.pages.packing import probability_codes

pytestmark = pytest.mark.browser
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; it is in 'dev'"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("there is no chromium on the PATH; install it to run these tests")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> dict[str, Path]:
    """The same footprint with rows from south to north, and from north to south."""
    folder = tmp_path_factory.mktemp("maps")
    turned = Footprint(dataset().isel(y=slice(None, None, -1)))
    return {
        "up": footprint().to_html(folder / "up.html"),
        "down": turned.to_html(folder / "down.html"),
    }


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_point_tells_its_values(browser, maps, way) -> None:
    data = dataset().isel(y=slice(None, None, -1))  # as it is drawn
    with opened(browser, maps[way]) as page:
        shown(page, "probability", 0, 3)
        for row, column in ((9, 15), (13, 20), (5, 30), (29, 39)):
            page.mouse.move(*place(page, row, column))
            found, some = told(page), data.isel(y=row, x=column)
            expected = f"{100 * float(some.window_probability[0]):g} %"
            assert found["Probability"] == expected
            assert page.locator("#tip").text_content() == expected
            assert found["Grid"] == f"x {column}, y {ROWS - 1 - row} km"
            north, east = map(float, re.findall(r"[\d.]+", found["Place"]))
            assert north == pytest.approx(46 + (ROWS - 1 - row) / 111.15, abs=2e-3)
            assert east == pytest.approx(8 + column / 77.46, abs=3e-3)
            if float(some.window_probability[0]) > 0:
                assert (
                    found["Arrival time, median"] == f"+{some.arrival[0].item():g} min"
                )
            else:
                assert found["Arrival time, median"] == "in no member"
        page.mouse.move(*place(page, 9, 1))
        assert told(page)["Probability"] == "no data"
        page.mouse.move(*place(page, -0.6, 15))  # beyond the map
        assert page.locator("#readout").is_hidden()


@pytest.mark.parametrize("way", ["up", "down"])
def test_pixels_have_the_colours_of_the_library(browser, maps, way) -> None:
    shades = table_colors(probabilities("safe"), probability_codes())
    data = dataset().isel(y=slice(None, None, -1))
    with opened(browser, maps[way]) as page:
        page.uncheck("#lines")
        shown(page, "probability", 0, 3)
        for row, column in ((9, 15), (8, 24), (12, 22)):
            share = float(data.window_probability[0, row, column])
            shade = shades[round(200 * share)]
            expected = [int(shade[at : at + 2], 16) for at in (1, 3, 5)]
            np.testing.assert_allclose(color(page, row, column), expected, atol=40)
            # a line of the graticule may dim it
        assert color(page, 2, 37) != color(page, 9, 15)
        red, green, blue = color(page, 20, 0)
        assert max(red, green, blue) - min(red, green, blue) <= 4
        assert 150 < red < 220


def test_the_slider_moves_through_the_leads(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        assert page.locator("#lead").text_content() == "Any time"
        assert page.locator("#time").text_content() == "2019-06-01 12:00 to 12:30 UTC"
        pictures = [pixels(page)]
        page.locator("#slider").focus()
        for stop, lead in ((2, "+30 min"), (1, "+20 min"), (0, "+10 min")):
            page.keyboard.press("ArrowLeft")
            shown(page, "probability", 0, stop)
            assert page.locator("#lead").text_content() == lead
            time = f"2019-06-01 12:{10 * stop + 10} UTC"
            assert page.locator("#time").text_content() == time
            label = page.locator("#map").get_attribute("aria-label")
            assert lead in label
            assert (
                page.locator("#slider").get_attribute("aria-valuetext").startswith(lead)
            )
            pictures.append(pixels(page))
        assert len(set(pictures)) == 4


def test_the_keys_move_through_the_leads(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        page.locator("#map").focus()
        for key, stop in (("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1), ("End", 3)):
            page.keyboard.press(key)
            shown(page, "probability", 0, stop)


def test_it_plays_and_pauses(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        page.click("#play")
        assert page.locator("#play").get_attribute("aria-label") == "Pause"
        for stop in (0, 1, 2, 0):
            shown(page, "probability", 0, stop)
        page.click("#play")
        assert page.locator("#play").get_attribute("aria-label") == "Play"
        lead = page.locator("#lead").text_content()
        page.wait_for_timeout(1300)
        assert page.locator("#lead").text_content() == lead


def test_hazards_and_layers_are_chosen(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        before = pixels(page), page.locator("#areas").text_content()
        page.select_option("#hazard", label="rain rate ≥ 20 mm h⁻¹")
        shown(page, "probability", 1, 3)
        assert "20 mm h⁻¹" in page.locator("#legend-title").text_content()
        assert pixels(page) != before[0]
        assert page.locator("#areas").text_content() != before[1]
        page.select_option("#layer", label="90th percentile")
        shown(page, "percentile 90", 1, 3)
        assert (
            page.locator("#legend-title").text_content() == "90th percentile [mm h⁻¹]"
        )
        assert "no data" in page.locator("#swatches").text_content()
        page.select_option("#layer", label="Arrival time, median")
        shown(page, "arrival", 1, 3)
        assert page.locator("#slider").is_disabled()


def test_a_lead_is_kept_where_the_layer_has_it(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        page.locator("#map").focus()
        page.keyboard.press("Home")
        shown(page, "probability", 0, 0)
        page.select_option("#layer", label="Mean")
        shown(page, "mean", 0, 0)
        # the mean has no window in this footprint
        page.locator("#map").focus()
        page.keyboard.press("End")
        shown(page, "mean", 0, 2)


def test_lines_of_equal_probability_are_drawn(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        lined = pixels(page)
        page.uncheck("#lines")
        shown(page, "probability", 0, 3)
        assert pixels(page) != lined
        page.check("#lines")
        shown(page, "probability", 0, 3)
        assert pixels(page) == lined
        # going right from the middle of the disc the half is crossed at a dark line
        data = dataset().isel(y=slice(None, None, -1))
        row = data.window_probability[0, 9].values
        crossed = int(np.flatnonzero(row >= 0.5).max())
        share = (row[crossed] - 0.5) / (row[crossed] - row[crossed + 1])
        dark = [sum(color(page, 9, crossed + share + off)) for off in (-0.08, 0, 0.08)]
        assert min(dark) < 200


def test_a_point_is_kept_and_let_go(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        page.mouse.click(*place(page, 9, 15))
        kept = told(page)
        page.mouse.move(*place(page, 20, 35))
        assert told(page) == kept
        chart = page.locator("#chart svg").get_attribute("aria-label")
        most = 100 * float(dataset().probability[0, :, ROWS - 10, 15].max())
        assert f"rain rate ≥ 5 mm h⁻¹: at most {most:.0f} %" in chart
        page.keyboard.press("Shift+ArrowRight")
        assert told(page)["Grid"] == f"x 16, y {ROWS - 10} km"
        page.keyboard.press("Escape")
        page.mouse.move(*place(page, 20, 35))
        assert told(page)["Grid"] == f"x 35, y {ROWS - 21} km"


def test_it_zooms_about_the_pointer_and_moves(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        whole = pixels(page)
        spot = place(page, 9, 15)
        page.mouse.move(*spot)
        before = told(page)["Grid"]
        page.mouse.wheel(0, -500)
        page.wait_for_function(
            "document.getElementById('map').dataset.scale !== '10 km'"
        )
        page.mouse.move(spot[0] + 1, spot[1])
        assert told(page)["Grid"] == before
        page.mouse.down()
        page.mouse.move(spot[0] + 200, spot[1], steps=4)
        page.mouse.up()
        page.mouse.move(spot[0] + 201, spot[1])
        assert told(page)["Grid"] == before
        page.click("#whole")
        page.mouse.move(2, 2)
        shown(page, "probability", 0, 3)
        assert pixels(page) == whole


def test_the_scale_is_that_of_the_ground(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        box = page.locator("#map").bounding_box()
        zoom = 0.96 * min(box["width"] / COLUMNS, box["height"] / ROWS)
        data = page.locator("#map").evaluate("canvas => ({ ...canvas.dataset })")
        long = float(data["scale"].removesuffix(" km"))
        assert float(data["scaleWidth"]) == pytest.approx(long * zoom, rel=5e-3)


def test_a_phone_shows_all_of_it(browser, maps) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True}
    with opened(browser, maps["up"], **phone) as page:
        shown(page, "probability", 0, 3)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360
        page.touchscreen.tap(*place(page, 9, 15))
        assert told(page)["Grid"] == f"x 15, y {ROWS - 10} km"
        assert page.locator("#tip").is_hidden()
        scale = page.locator("#map").get_attribute("data-scale")
        touch = page.context.new_cdp_session(page)

        def press(kind, points):
            given = {"type": kind, "touchPoints": points}
            touch.send("Input.dispatchTouchEvent", given)

        (x, y), seen = place(page, 15, 20), "touchStart"
        for apart in (20, 40, 70, 110):
            points = [{"x": x - apart, "y": y}, {"x": x + apart, "y": y}]
            press(seen, points)
            seen = "touchMove"
        press("touchEnd", [])
        shown(page, "probability", 0, 3)
        assert page.locator("#map").get_attribute("data-scale") != scale


def test_dark_pages_keep_the_colours_of_the_map(browser, maps) -> None:
    found = {}
    for scheme in ("light", "dark"):
        with opened(browser, maps["up"], color_scheme=scheme) as page:
            page.uncheck("#lines")
            shown(page, "probability", 0, 3)
            ground = "getComputedStyle(document.body).backgroundColor"
            found[scheme] = page.evaluate(ground), color(page, 9, 15)
    assert found["light"][0] != found["dark"][0]
    assert found["light"][1] == found["dark"][1]


def test_all_that_is_pressed_has_a_name(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        nameless = page.locator("button, input, select, canvas, summary").evaluate_all(
            "all => all.filter(e => !(e.ariaLabel || e.textContent.trim()"
            " || (e.labels && e.labels[0] && e.labels[0].textContent.trim())))"
            ".map(e => e.outerHTML)"
        )
        assert nameless == []


def test_texts_are_only_texts(browser, tmp_path) -> None:
    nasty = "</script><b>bold</b><img src=x onerror=\"document.title='bad'\">"
    data = dataset().assign_coords(hazard=[nasty, "rain_rate >= 20 mm h-1"])
    data.attrs["recipe"] = nasty
    path = Footprint(data).to_html(
        tmp_path / "map.html", title=nasty, places={nasty: (46.1, 8.2)}
    )
    with opened(browser, path) as page:
        shown(page, "probability", 0, 3)
        assert page.locator("h1").text_content() == nasty
        assert page.title() == nasty
        page.mouse.click(*place(page, 9, 15))
        assert page.locator("b, img").count() == 0


def test_a_browser_that_cannot_unpack_says_so(browser, maps) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(maps["up"].as_uri())
    assert "Firefox 113" in page.locator("#trouble").text_content()
    assert page.locator("#trouble").is_visible()
    context.close()


def test_it_tells_how_far_members_displace_a_hazard(browser, tmp_path) -> None:
    far = np.array([[1.5, np.nan, np.inf], [2.0, 3.0, 4.0]])
    data = dataset().assign(displacement=(("hazard", "lead"), far))
    path = Footprint(data).to_html(tmp_path / "map.html")
    with opened(browser, path) as page:
        page.locator("#map").focus()
        found = {}
        for key, stop in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2)):
            page.keyboard.press(key)
            shown(page, "probability", 0, stop)
            found[stop] = page.locator("#displaced").text_content()
        assert "by 1.5 km" in found[0]
        assert found[1] == ""
        assert "at no scale" in found[2]


def test_without_latitudes_the_grid_is_told(browser, tmp_path) -> None:
    bare = dataset().drop_vars(["y", "x", "crs"])
    path = Footprint(bare).to_html(tmp_path / "map.html")
    with opened(browser, path) as page:
        shown(page, "probability", 0, 3)
        page.mouse.move(*place(page, 9, 15))
        found = told(page)
        assert "Place" not in found
        assert found["Grid"] == f"x 15, y {ROWS - 10}"
        assert page.locator("#extent").is_hidden()


def test_what_is_known_in_part_is_seen_and_told(browser, tmp_path) -> None:
    data = dataset()
    data["window_probability"] = data.window_probability.where(data.x > 20e3)
    path = Footprint(data).to_html(tmp_path / "map.html")
    with opened(browser, path) as page:
        shown(page, "probability", 0, 3)
        words = page.locator("#unknown").text_content()
        assert "53 % of the map is unknown for the window" in words  # 21 of 40 columns
        assert "move the slider" in words
        assert "some lead times only" in page.locator("#swatches").text_content()
        page.mouse.move(*place(page, 15, 10))
        assert told(page)["Probability"] == "known at some lead times only"
        # hatched, where what is not known at all is plain
        page.uncheck("#lines")
        page.mouse.move(2, 2)
        shown(page, "probability", 0, 3)
        spots = [
            (row + down, 10.0) for row in (12, 13) for down in np.arange(0, 1, 0.1)
        ]
        assert len({tuple(color(page, *spot)) for spot in spots}) > 1
        page.locator("#map").focus()
        page.keyboard.press("Home")
        shown(page, "probability", 0, 0)
        words = page.locator("#unknown").text_content()
        assert words.startswith("5 % of the map is unknown at this lead time")
        assert "slider" not in words
        assert "some lead" not in page.locator("#swatches").text_content()


def test_the_time_stands_beside_the_map(browser, maps) -> None:
    with opened(browser, maps["up"]) as page:
        shown(page, "probability", 0, 3)
        stamp = page.locator("#lead").bounding_box()
        assert stamp["y"] + stamp["height"] <= page.locator("#map").bounding_box()["y"]


def test_a_tiny_map_fills_its_sheet(browser, tmp_path) -> None:
    path = Footprint(dataset().isel(y=slice(3), x=slice(10, 12))).to_html(
        tmp_path / "map.html"
    )
    with opened(browser, path) as page:
        shown(page, "probability", 0, 3)
        data = page.locator("#map").evaluate("canvas => ({ ...canvas.dataset })")
        box = page.locator("#map").bounding_box()
        zoom = 0.96 * min(box["width"] / 2, box["height"] / 3)
        long = float(data["scale"].removesuffix(" m").removesuffix(" km"))
        long /= 1000 if data["scale"].endswith(" m") else 1
        assert float(data["scaleWidth"]) == pytest.approx(long * zoom, rel=5e-3)
