"""Members of nowcasts without training leave in the units of their target."""

import numpy as np
import pytest

from stormfusion import Catalog, Nowcaster


@pytest.mark.parametrize("variable", ["reflectivity", "rain_rate", "vil"])
def test_members_are_in_the_units_of_the_target(variable: str) -> None:
    event = Catalog.synthetic(1, size=64, variables=(variable,))[0]
    now = event.time[24]
    nowcaster = Nowcaster("steps", leads=2)
    members = nowcaster.ensemble(event, members=2, reference_time=now).values
    mean = nowcaster.predict(event, reference_time=now)[variable]
    assert float(members.min()) == pytest.approx(float(mean.min()))
    # amounts are those of the last frame, less what interpolation smooths
    highest = float(event[variable].isel(time=24).max())
    assert 0.5 * highest < float(np.nanmax(members)) < 1.1 * highest
