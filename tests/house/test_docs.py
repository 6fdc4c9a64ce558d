"""The documentation: every page is in the navigation, and its code runs."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import stormfusion
from stormfusion import Catalog, Nowcaster

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {"gallery.md"}
BLOCK = re.compile(
    r"(?P<skip><!-- no-run: [^\n]+ -->\n)?^```python\n(?P<code>.*?)^```$", re.M | re.S
)


def pages() -> list[str]:
    return sorted(str(p.relative_to(DOCS)) for p in DOCS.rglob("*.md"))


def in_navigation(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    parts = entry.values() if isinstance(entry, dict) else entry
    return [page for part in parts for page in in_navigation(part)]


def blocks(page: str) -> list[tuple[int, str]]:
    """Line and text of each block of code of a page that is to be run."""
    text = (DOCS / page).read_text()
    return [
        (text.count("\n", 0, found.start("code")), found["code"])
        for found in BLOCK.finditer(text)
        if found["skip"] is None
    ]


class Brief(Nowcaster):
    """A second of training, one event scored: pages must run, not forecast well."""

    def fit(self, catalog: Catalog, **options: Any) -> Nowcaster:
        return super().fit(catalog, **{"time_limit": 1.0, **options})

    def evaluate(self, catalog: Catalog, **options: Any) -> Any:
        return super().evaluate(catalog[:1], **options)


def test_every_page_is_in_the_navigation() -> None:
    listed = in_navigation(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(listed) == sorted({*pages(), *GENERATED})


def test_every_example_is_in_the_gallery() -> None:
    text = (DOCS / "gallery.py").read_text()
    scripts = sorted((ROOT / "examples").glob("plot_*.py"))
    assert len(scripts) >= 3
    for script in scripts:
        assert f'"{script.stem.removeprefix("plot_")}"' in text
        code = script.read_text()
        assert code.startswith('"""')
        assert code.split('"""')[1].count("\n") == 0, "one sentence"


def test_only_what_needs_data_is_not_run() -> None:
    reasons = [
        reason
        for page in pages()
        if page != "parity.md"  # tests/oracles/test_parity.py runs that
        for reason in re.findall(r"<!-- no-run: (.+) -->", (DOCS / page).read_text())
    ]
    assert set(reasons) == {"needs SEVIR", "needs CLIMADA"}


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in pages() if blocks(p)])
def test_the_code_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(stormfusion, "Nowcaster", Brief)
    names: dict[str, object] = {"__name__": "page"}
    for line, code in blocks(page):
        # as many empty lines as stand before it, so that errors name the page's line
        compiled = compile("\n" * line + code, str(DOCS / page), "exec")
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compiled, names)
