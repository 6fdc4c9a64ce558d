import numpy as np
import pandas as pd
import pytest

from stormfusion import Catalog
from stormfusion.data.task import Task
from stormfusion.errors import CatalogError, GridMismatchError
from stormfusion.training.split import fingerprint, validation_split


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.synthetic(events=12, size=16, frames=26, variables=("vil",))


def task_of(catalog: Catalog) -> Task:
    return Task.infer(list(catalog))


def test_the_last_events_in_time_validate(catalog: Catalog) -> None:
    train, validation, said = validation_split(catalog, None, task_of(catalog))
    assert said == "on the last events in time"
    assert validation is not None
    assert (len(train), len(validation)) == (10, 2)
    assert not set(train.table.index) & set(validation.table.index)
    last = max(event.time[-1] for event in train)
    assert last < min(event.time[0] for event in validation)


def test_windows_of_one_sequence_do_not_overlap(catalog: Catalog) -> None:
    vil = catalog[0]["vil"].load()
    later = vil.assign_coords(time=vil.time + np.timedelta64(130, "m"))
    import xarray as xr

    cut = Catalog.from_xarray(
        xr.concat([vil, later], "time").to_dataset(), duration="1h", size=8
    )
    small = Task.infer(list(cut), history=3, leads=2)
    train, validation, _ = validation_split(cut, None, small)
    assert validation is not None
    assert max(e.time[-1] for e in train) < min(e.time[0] for e in validation)


def test_a_single_event_warns_and_says_so(catalog: Catalog) -> None:
    alone = catalog[:1]
    with pytest.warns(UserWarning, match=r"1 event\(s\) leaves none to validate on"):
        train, validation, said = validation_split(alone, None, task_of(alone))
    assert train is alone
    assert validation is None
    assert said == "on the training windows"


def test_events_given_validate(catalog: Catalog) -> None:
    train, validation, said = validation_split(
        catalog[:8], catalog[8:], task_of(catalog)
    )
    assert said == "on events given"
    assert validation is not None
    assert (len(train), len(validation)) == (8, 4)
    with pytest.raises(CatalogError, match=r"2 events are both in .* split them with"):
        validation_split(catalog[:8], catalog[6:], task_of(catalog))
    other = Catalog.synthetic(
        events=1, size=16, frames=26, spacing=2000, variables=("vil",), seed=9
    )
    with pytest.raises(GridMismatchError):
        validation_split(catalog, other, task_of(catalog))


def test_a_fingerprint_tells_catalogs_apart(catalog: Catalog) -> None:
    assert fingerprint(catalog) == fingerprint(catalog[:])
    assert fingerprint(catalog) != fingerprint(catalog[:11])
    assert len(fingerprint(catalog)) == 16
    moved = catalog[0]["vil"].load()
    moved = moved.assign_coords(time=moved.time + pd.Timedelta("1h"))
    made = Catalog.from_xarray(moved.to_dataset())
    assert fingerprint(made) != fingerprint(catalog[:1])
