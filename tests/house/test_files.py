"""The files of the repository: layers, sizes, no data, no machine's paths."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST = 400
LARGEST = 500_000
OURS = {"src/stormfusion/nn/radar_encoder.safetensors"}
"""Weights that the library trained itself."""

DATA = {
    *(".nc", ".nc4", ".h5", ".hdf5", ".zarr", ".grib", ".grib2", ".grb", ".npy"),
    *(".npz", ".csv", ".parquet", ".safetensors", ".pt", ".pth", ".ckpt", ".pkl"),
    *(".tif", ".zip", ".gz", ".tar"),
}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The files under version control, and those about to be."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not in a git checkout, so there is no list of files")
    listed = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_imports_point_down() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed; it comes with the extra 'dev'")
    command = [str(linter), "--no-cache"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_source_file_is_longer_than_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "src").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > LONGEST
    }
    assert long == {}


def test_no_data_is_in_the_repository(files: list[Path]) -> None:
    data = {str(p.relative_to(ROOT)) for p in files if p.suffix.lower() in DATA}
    assert data <= OURS
    assert [p for p in files if p.stat().st_size > LARGEST] == []


def test_nothing_names_a_machine(files: list[Path]) -> None:
    folders = "|".join(("tmp", "work", "root", "home", "Users", "scratch"))
    absolute = re.compile(rf"(?<![\w.:/~*<>{{}}-])/({folders})/\w")
    found = []
    for path in files:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}: {line.strip()}"
            for line in text.splitlines()
            if absolute.search(line)
        ]
    assert found == []


def test_every_module_says_what_it_is_in_a_sentence() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("src", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if not path.read_text().startswith(('"""', 'r"""', "#!"))
    ]
    assert silent == []
