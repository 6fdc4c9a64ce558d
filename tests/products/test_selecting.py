"""Hazards, lead times and quantiles that are asked for."""

from datetime import timedelta

import numpy as np
import pytest

from stormfusion.hazards import Hazard
from stormfusion.products.files.selecting import (
    hazards_of,
    lead_of,
    percentile_text,
    quantile_of,
    text_of,
)

NAMES = ("vil >= 3.5 kg m-2", "vil >= 12 kg m-2")


def test_hazards_by_text_and_object(made) -> None:
    assert hazards_of(made) == NAMES
    assert hazards_of(made, "vil>=12 kg/m^2") == NAMES[1:]
    assert hazards_of(made, Hazard("vil", 12, "kg m-2")) == NAMES[1:]
    assert hazards_of(made, [NAMES[1], Hazard.parse(NAMES[0])]) == NAMES[::-1]
    one = made.sel(hazard=NAMES[0])
    assert hazards_of(one) == NAMES[:1]


def test_hazards_that_are_not_there(made) -> None:
    with pytest.raises(ValueError, match=r"wanted one of this footprint, 'vil >= 3.5"):
        hazards_of(made, "vil >= 4 kg m-2")
    with pytest.raises(ValueError, match=r"wanted one or more, each once"):
        hazards_of(made, [NAMES[0], NAMES[0]])
    with pytest.raises(ValueError, match=r"wanted one or more, each once"):
        hazards_of(made, [])
    for wrong in ("hail", 12):
        with pytest.raises(ValueError, match=r"cannot be read; write it like"):
            hazards_of(made, wrong)
    with pytest.raises(ValueError, match=r"has no hazard, so no probabilities; name"):
        hazards_of(made[["mean"]])


@pytest.mark.parametrize(
    "lead", ["10min", "600s", timedelta(minutes=10), np.timedelta64(10, "m")]
)
def test_leads_however_they_are_written(made, lead) -> None:
    assert lead_of(made, lead) == made.lead.values[1]


@pytest.mark.parametrize("lead", [10, 10.0, np.int64(10)])
def test_a_lead_has_a_unit(made, lead) -> None:
    with pytest.raises(TypeError, match=r"with its unit; for minutes write '10min'"):
        lead_of(made, lead)


@pytest.mark.parametrize("lead", ["soon", [], object()])
def test_what_is_no_lead(made, lead) -> None:
    with pytest.raises(TypeError, match=r"wanted a lead time; write it like '30min'"):
        lead_of(made, lead)


def test_leads_that_are_not_there(made) -> None:
    with pytest.raises(ValueError, match=r"lead is '7 min', .*footprint, 5 min, 10"):
        lead_of(made, "7min")
    with pytest.raises(ValueError, match=r"which has none"):
        lead_of(made.drop_vars("lead"), "7min")


def test_quantiles(made) -> None:
    assert quantile_of(made, np.float32(0.5)) == 0.5
    assert quantile_of(made, 0.3 * 3) == 0.9
    with pytest.raises(ValueError, match=r"footprint, 0.1, 0.5, 0.9; .* write 0.9"):
        quantile_of(made, 90)
    with pytest.raises(ValueError, match=r"which has none"):
        quantile_of(made[["mean"]], 0.5)
    with pytest.raises(TypeError, match=r"wanted a number from 0 to 1"):
        quantile_of(made, "0.5")


def test_words() -> None:
    assert text_of(np.timedelta64(3_600, "s")) == "60 min"
    assert [percentile_text(q) for q in (0.1, 0.07, 0.999, 1.0)] == [
        *("10", "7", "99.9", "100")
    ]
