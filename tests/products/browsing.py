"""A page in a browser: opened, waited for and read."""

from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.products.pages import COLUMNS, ROWS


@contextmanager
def opened(browser: Any, path: Path, **options: Any) -> Any:
    """The page in a browser that is offline; no error, and no request but for it."""
    context = browser.new_context(
        viewport=options.pop("viewport", {"width": 1200, "height": 800}), **options
    )
    context.set_offline(True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text))
    page.on("request", lambda request: troubles.append(request.url))
    address = path.as_uri()
    page.goto(address)
    page.wait_for_selector("body[data-unpacked]")
    yield page
    context.close()
    # the tests themselves read the canvas back, of which chromium warns
    assert [text for text in troubles if "willReadFrequently" not in text] == [address]


def shown(page: Any, layer: str, hazard: int, stop: int) -> None:
    """Wait until a map is drawn."""
    page.wait_for_selector(f'body[data-shown="{layer}/{hazard}/{stop}"]')
    for _ in range(2):
        page.evaluate("() => new Promise((done) => requestAnimationFrame(done))")


def place(page: Any, row: float, column: float) -> tuple[float, float]:
    """Where a pixel's middle is on the screen, of the whole map."""
    box = page.locator("#map").bounding_box()
    zoom = 0.96 * min(box["width"] / COLUMNS, box["height"] / ROWS)
    x = box["x"] + box["width"] / 2 + (column + 0.5 - COLUMNS / 2) * zoom
    y = box["y"] + box["height"] / 2 + (row + 0.5 - ROWS / 2) * zoom
    return x, y


def pixels(page: Any) -> str:
    return page.evaluate("() => document.getElementById('map').toDataURL()")


def color(page: Any, row: float, column: float) -> list[int]:
    x, y = place(page, row, column)
    box = page.locator("#map").bounding_box()
    spot = [round(x - box["x"]), round(y - box["y"])]
    return page.evaluate(
        "([x, y]) => [...document.getElementById('map').getContext('2d')"
        ".getImageData(x, y, 1, 1).data].slice(0, 3)",
        spot,
    )


def told(page: Any) -> dict[str, str]:
    """What is told of the point."""
    rows = page.locator("#values tr")
    return dict(
        rows.evaluate_all("rows => rows.map(r => [...r.cells].map(c => c.textContent))")
    )
