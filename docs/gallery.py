"""A hook of mkdocs: runs the examples, and makes the gallery of their pictures."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
ORDER = (
    "nowcast",
    "motion",
    "steps",
    "footprint",
    "arrival",
    "several_inputs",
    "verification",
    "performance",
    "reliability",
    "sharpness",
)
INTRODUCTION = """\
# Gallery

Every picture is made by the script under it when this site is built. The storms are
synthetic and the networks have trained for seconds, so look at what the library
draws, not at how well it forecasts.
"""


RUN = """
import runpy, sys

for script, picture in list(zip(sys.argv[1::2], sys.argv[2::2])):
    sys.argv = [script, picture]
    runpy.run_path(script, run_name="__main__")
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page and its pictures to the site."""
    drawn = draw([ROOT / "examples" / f"plot_{name}.py" for name in ORDER])
    page = [INTRODUCTION]
    for name, (script, picture) in zip(ORDER, drawn.items(), strict=True):
        code = script.read_text()
        sentence = ast.get_docstring(ast.parse(code))
        path = f"gallery/{name}.png"
        files.append(File.generated(config, path, content=picture.read_bytes()))
        indented = textwrap.indent(code.split('"""\n\n', 1)[1], "    ")
        page += [
            f"## {name.replace('_', ' ').capitalize()}",
            sentence,
            f"![{sentence}]({path})",
            f'??? example "{script.name}"',
            f"    ```python\n{indented}    ```",
        ]
    files.append(File.generated(config, "gallery.md", content="\n\n".join(page)))
    return files


def draw(scripts: list[Path]) -> dict[Path, Path]:
    """Pictures of the scripts, drawn again where script or library are younger."""
    library = max(path.stat().st_mtime for path in (ROOT / "src").rglob("*.py"))
    drawn, stale = {}, []
    for script in scripts:
        picture = drawn[script] = ROOT / "output" / "gallery" / f"{script.stem}.png"
        youngest = max(library, script.stat().st_mtime)
        if not picture.exists() or picture.stat().st_mtime < youngest:
            picture.unlink(missing_ok=True)
            stale += [str(script), str(picture)]
    if stale:
        environment = {**os.environ, "MPLBACKEND": "Agg"}
        command = [sys.executable, "-c", RUN, *stale]
        subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return drawn
