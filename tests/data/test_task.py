"""What a model maps."""

import json

import numpy as np
import pytest
from tests.data.radar_arrays import axis, event, held, minutes, ramp

from stormfusion.data.task import Task, interval, regular
from stormfusion.errors import CatalogError, GridMismatchError

KM = (1000.0, 1000.0)


@pytest.mark.parametrize(
    ("seconds", "found"),
    [(300, 300), (302, 300), (360, 360), (150, 150), (62, 60), (45, 45), (15, 15)],
)
def test_interval(seconds, found):
    time = minutes(*(seconds / 60 * np.arange(6)))
    assert interval(time) == found
    assert regular(time, found).all()


def test_regular_tells_gaps():
    assert regular(minutes(0, 5, 10.4, 20, 25), 300).tolist() == [1, 1, 0, 1]


def test_the_target_comes_first():
    made = Task(("ir107", "vil", "lightning"), "vil", 13, 12, 300, KM)
    assert made.inputs == ("vil", "ir107", "lightning")
    assert made.autoregressive
    assert made.channels == 6
    assert made.frames == 25
    mapping = Task(("ir107",), "vil", 1, 1, 300, KM, first_lead=0)
    assert not mapping.autoregressive
    assert mapping.frames == 1
    assert mapping.lead_times().tolist() == [0]


def test_lead_times():
    leads = Task(("vil",), "vil", 1, 3, 300, KM).lead_times()
    assert (leads / np.timedelta64(1, "m")).tolist() == [5.0, 10.0, 15.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"history": 0}, "history is 0"),
        ({"leads": 1.5}, "leads is 1.5"),
        ({"interval": 0}, "interval is 0.*seconds"),
        ({"first_lead": -1}, "first_lead is -1"),
        ({"inputs": ()}, "inputs are empty"),
        ({"inputs": ("vil", "vil")}, "name a variable twice"),
        ({"inputs": ("hail",)}, "'hail' has no scaling"),
        ({"target": "hail"}, "'hail' has no scaling"),
        ({"derived": ("drift",)}, r"\('drift',\) is to be derived, wanted some of"),
        ({"derived": ("motion", "motion")}, "is to be derived, wanted some .* once"),
        ({"derived": ("motion",), "history": 1}, "history is 1, 'motion' is derived"),
        ({"derived": ("motion",), "inputs": ("ir107",)}, "past of the target, 'vil'"),
    ],
)
def test_out_of_range(change, message):
    values = {
        "inputs": ("vil",),
        "target": "vil",
        "history": 3,
        "leads": 2,
        "interval": 300,
        "spacing": KM,
    }
    with pytest.raises(ValueError, match=message):
        Task(**(values | change))


def test_what_is_derived_stands_behind_the_variables():
    both = ("motion", "extrapolation")
    made = Task(("ir107", "vil"), "vil", 2, 12, 300, KM, derived=both)
    assert made.derived == ("extrapolation", "motion")
    assert made.seen == ("vil", "ir107", "extrapolation", "motion")
    assert made.channels == 4
    assert Task.from_header(json.loads(json.dumps(made.to_header()))) == made
    storm = event(held("ir107", ramp(6)), held("rain_rate", ramp(6)))
    found = Task.infer([storm], inputs=("motion",), history=2)
    assert (found.inputs, found.derived) == (("rain_rate",), ("motion",))
    with pytest.raises(ValueError, match="of the target, 'rain_rate'; name that among"):
        Task.infer([storm], inputs=("ir107", "motion"))


def test_header_is_plain_and_round_trips():
    made = Task(("vil", "ir107"), "vil", np.int64(13), 12, 300, KM)
    assert type(made.history) is int
    assert Task.from_header(made.to_header()) == made


def test_infer():
    storm = event(held("ir107", ramp(6)), held("rain_rate", ramp(6)))
    made = Task.infer([storm], history=3, leads=2)
    assert (made.inputs, made.target) == (("rain_rate",), "rain_rate")
    assert (made.interval, made.spacing) == (300, KM)
    assert Task.infer([storm], inputs="ir107", target="ir107").inputs == ("ir107",)


def test_infer_says_what_is_wrong():
    storm = event(held("ir107", ramp(6)))
    with pytest.raises(CatalogError, match="no radar variable; name"):
        Task.infer([storm])
    with pytest.raises(CatalogError, match="no variable 'vil', it has ir107"):
        Task.infer([storm], target="ir107", inputs=("vil",))
    with pytest.raises(CatalogError, match="no event has two frames"):
        Task.infer([event(held("rain_rate", ramp(1)))])
    slow = event(held("rain_rate", ramp(6), time=minutes(*(10 * np.arange(6)))))
    fast = event(held("rain_rate", ramp(6)))
    with pytest.raises(CatalogError, match="300, 600 s apart"):
        Task.infer([slow, fast])
    coarse = event(held("rain_rate", ramp(6), y=axis(4, 2e3), x=axis(5, 2e3)))
    with pytest.raises(GridMismatchError, match="between points in y"):
        Task.infer([fast, coarse])


def test_one_product_in_degrees_is_one_grid():
    """Columns lie closer in the north; pixel by pixel the product is the same."""

    def piece(south: float, step: float = 0.01):
        y, x = south + step * np.arange(4), 260 + step * np.arange(5)
        crs = "EPSG:4326"
        return event(held("rain_rate", ramp(6), y=y, x=x, crs=crs, degrees=True))

    made = Task.infer([piece(25.0), piece(48.0)], history=3, leads=2)
    assert made.degrees == pytest.approx((0.01, 0.01))
    assert Task.from_header(made.to_header()) == made
    made.check(piece(55.0))
    with pytest.raises(GridMismatchError, match="between points in y"):
        made.check(piece(40.0, step=0.02))
    projected = event(held("rain_rate", ramp(6)))
    assert Task.infer([projected]).degrees is None
    with pytest.raises(GridMismatchError, match="between points in x"):
        made.check(event(held("rain_rate", ramp(6), x=axis(5, 5000.0))))


def test_check():
    made = Task(("rain_rate",), "rain_rate", 3, 2, 300, KM)
    made.check(event(held("rain_rate", ramp(6), y=axis(4, 1100.0))))
    with pytest.raises(GridMismatchError, match="2000 m between points in x"):
        made.check(event(held("rain_rate", ramp(6), x=axis(5, 2000.0))))
    for factor in (1e-3, 1e3):
        odd = event(held("rain_rate", ramp(6), y=axis(4, 1e3 * factor)))
        with pytest.raises(GridMismatchError, match=r"correct the units of y, where"):
            made.check(odd)
    with pytest.raises(CatalogError, match="600 s apart"):
        made.check(event(held("rain_rate", ramp(2), time=minutes(0, 10))))
    with pytest.raises(CatalogError, match="no variable 'rain_rate'"):
        made.check(event(held("ir107", ramp(6))))
