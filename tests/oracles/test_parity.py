"""The page on parity says what comes out."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


def parity():
    spec = importlib.util.spec_from_file_location(
        "parity", ROOT / "benchmarks" / "parity.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["parity"] = module
    spec.loader.exec_module(module)
    return module


PARITY = parity()
PAGE = (ROOT / "docs" / "parity.md").read_text()


@pytest.mark.parametrize("row", PARITY.ROWS, ids=lambda row: f"{row.peer} {row.score}")
def test_equal_or_explained(row):
    pytest.importorskip(row.peer)
    theirs, ours = PARITY.compared(row)
    assert np.isclose(theirs, ours, rtol=1e-6) == (not row.why)
    assert f"| {theirs:.6g} | {ours:.6g} |" in PAGE
