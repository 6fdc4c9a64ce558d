"""The public names: those of the design, each with a docstring, example and page."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stormfusion

ROOT = Path(__file__).parents[2]
NOUNS = {
    "Catalog": "data",
    "Event": "data",
    "Nowcaster": "nowcaster",
    "SyntheticRadar": "synthetic_radar",
    "Downscaler": "downscaler",
    "Ensemble": "ensemble",
    "Footprint": "footprint",
    "Recipe": "recipe",
}
BARE = (Exception, tuple)
"""Errors and records need no example."""
DEEPER = (
    *("verification", "losses", "nn", "training"),
    *("hail", "plot", "units", "hazards", "grids", "errors"),
)


def public(module_name: str) -> list[tuple[str, object]]:
    """Public names of a module: its `__all__`, or what is defined in it."""
    module = importlib.import_module(f"stormfusion.{module_name}")
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    ]
    return [(name, getattr(module, name)) for name in names]


NAMES = [("", n, getattr(stormfusion, n)) for n in stormfusion.__all__] + [
    (f"{module}.", name, value) for module in DEEPER for name, value in public(module)
]
CALLED = [
    pytest.param(value, id=prefix + name)
    for prefix, name, value in NAMES
    if inspect.isclass(value) or inspect.isfunction(value)
]


SHOWN = [
    case
    for case in CALLED
    if not (inspect.isclass(case.values[0]) and issubclass(case.values[0], BARE))
]


def test_the_front_door_has_the_nouns_of_the_design_and_no_other() -> None:
    rooms = {path.stem for path in (ROOT / "src" / "stormfusion").iterdir()}
    built = {noun for noun, room in NOUNS.items() if room in rooms}
    assert set(stormfusion.__all__) == built
    assert sorted(stormfusion.__all__) == list(stormfusion.__all__)


@pytest.mark.parametrize("value", CALLED)
def test_a_public_name_has_a_docstring(value: object) -> None:
    doc = inspect.getdoc(value) or ""
    assert len(doc.split("\n")[0]) > 10
    assert doc != inspect.getdoc(object)


@pytest.mark.parametrize("value", SHOWN)
def test_a_public_name_has_an_example(value: object) -> None:
    assert ">>> " in (inspect.getdoc(value) or ""), "its docstring has no example"


def test_every_public_name_is_in_the_reference() -> None:
    pages = "\n".join(p.read_text() for p in (ROOT / "docs" / "api").glob("*.md"))
    shown = set(re.findall(r"^::: (\S+)$", pages, re.MULTILINE))
    absent = [
        f"stormfusion.{prefix}{name}"
        for prefix, name, _ in NAMES
        if f"stormfusion.{prefix}{name}" not in shown
        and f"stormfusion.{prefix}".rstrip(".") not in shown
    ]
    assert absent == []


def test_the_reference_names_nothing_that_is_gone() -> None:
    pages = "\n".join(p.read_text() for p in (ROOT / "docs" / "api").glob("*.md"))
    for path in re.findall(r"^::: stormfusion\.(\S+)$", pages, re.MULTILINE):
        value = stormfusion
        for part in path.split("."):
            if not hasattr(value, part):
                value = importlib.import_module(f"{value.__name__}.{part}")
            else:
                value = getattr(value, part)


def test_importing_loads_neither_matplotlib_nor_what_is_slow() -> None:
    code = "import stormfusion, sys; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(ran.stdout.split())
    slow = {"matplotlib", "pint", "pyproj", "cfgrib", "zarr", "s3fs"}
    assert loaded & {*slow, "rasterio", "geopandas", "shapely", "climada"} == set()
