"""Times of pysteps by hand: leads, reference times, and what does not agree."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from stormfusion.interop.times import leads_of, times_of

NOON = pd.Timestamp("2019-06-01T12:00")


def every(minutes: float, count: int, start: pd.Timestamp = NOON) -> list[dt.datetime]:
    step = dt.timedelta(minutes=minutes)
    return [start.to_pydatetime() + i * step for i in range(count)]


def minutes(leads: np.ndarray) -> list[float]:
    assert leads.dtype == "timedelta64[ns]"
    return (leads / np.timedelta64(1, "m")).tolist()


@pytest.mark.parametrize(
    "interval",
    [
        *(5, 5.0, np.int16(5), np.array(5.0), "5min", "300s"),
        *(dt.timedelta(minutes=5), np.timedelta64(300, "s"), pd.Timedelta("5min")),
    ],
)
def test_an_interval_overrules_the_metadata(interval) -> None:
    metadata = {"accutime": 10.0, "timestamps": every(15, 3), "leadtimes": [1, 2]}
    leads, reference = leads_of(
        metadata, 2, reference_time="2019-06-01T13:00", interval=interval
    )
    assert minutes(leads) == [5, 10]
    assert reference == pd.Timestamp("2019-06-01T13:00")


def test_which_of_the_metadata_comes_first() -> None:
    metadata = {"leadtimes": [3.0, 10.0]}
    assert minutes(leads_of(metadata, 2)[0]) == [3, 10]
    metadata = {"timestamps": every(5, 3), "accutime": 60.0}
    leads, reference = leads_of(metadata, 2)
    assert minutes(leads) == [5, 10]
    assert reference == NOON + pd.Timedelta("10min")
    for stamps in (None, [], every(5, 1)):
        metadata = {"timestamps": stamps, "accutime": 2.5}
        assert minutes(leads_of(metadata, 2)[0]) == [2.5, 5]
    assert leads_of({"accutime": 5.0}, 2)[1] is None


def test_timestamps_beside_leadtimes_are_those_of_the_forecast() -> None:
    metadata = {"timestamps": every(5, 3), "leadtimes": np.array([5.0, 10.0, 15.0])}
    leads, reference = leads_of(metadata, 3)
    assert minutes(leads) == [5, 10, 15]
    assert reference == NOON - pd.Timedelta("5min")


def test_as_many_timestamps_as_leads_may_be_either() -> None:
    metadata = {"timestamps": every(5, 3)}
    with pytest.raises(ValueError, match=r"may be those of the frames observed or for"):
        leads_of(metadata, 3)
    leads, reference = leads_of(metadata, 3, reference_time=NOON)
    assert (minutes(leads), reference) == ([5, 10, 15], NOON)


def test_times_of_every_kind() -> None:
    cftime = pytest.importorskip("cftime")
    stamps = [
        every(5, 3),
        np.array(every(5, 3)),
        np.array(every(5, 3), "datetime64[s]"),
        pd.DatetimeIndex(every(5, 3)),
        [str(t) for t in every(5, 3)],
        [cftime.DatetimeGregorian(2019, 6, 1, 12, 5 * i) for i in range(3)],
    ]
    for each in stamps:
        leads, reference = leads_of({"timestamps": each}, 2)
        assert minutes(leads) == [5, 10]
        assert reference == NOON + pd.Timedelta("10min")


@pytest.mark.parametrize(
    "reference_time",
    [
        *("2019-06-01T12:00", NOON, NOON.to_pydatetime(), NOON.to_datetime64()),
        *(xr.DataArray(NOON.to_datetime64()), np.array(NOON.to_datetime64())),
    ],
)
def test_reference_times_of_every_kind(reference_time: object) -> None:
    metadata = {"accutime": 5.0, "timestamps": every(5, 2)}
    assert leads_of(metadata, 3, reference_time=reference_time)[1] == NOON


@pytest.mark.parametrize(
    "reference_time",
    [
        *("noon", "", 5, 12.5, np.nan, True, np.datetime64("NaT"), pd.NaT, [NOON]),
        *("0001-01-01", np.array([NOON], "datetime64[ns]")),
    ],
)
def test_what_is_no_reference_time(reference_time: object) -> None:
    with pytest.raises(ValueError, match=r"reference_time is .*, wanted a time in UTC"):
        leads_of({"accutime": 5.0}, 2, reference_time=reference_time)


def test_a_time_in_a_calendar_of_its_own_is_refused() -> None:
    cftime = pytest.importorskip("cftime")
    with pytest.raises(ValueError, match=r"a timestamp of metadata is .*, wanted"):
        leads_of({"timestamps": [cftime.Datetime360Day(2019, 2, 30)]}, 2, interval=5)


@pytest.mark.parametrize(
    "time",
    [
        NOON.tz_localize("UTC"),
        "2019-06-01T12:00+02:00",
        "2019-06-01T12:00Z",
        NOON.to_pydatetime().replace(tzinfo=dt.UTC),
    ],
)
def test_a_time_in_a_zone_is_refused(time: object) -> None:
    with pytest.raises(ValueError, match=r"in a time zone, wanted .*; convert it"):
        leads_of({"accutime": 5.0}, 2, reference_time=time)
    with pytest.raises(ValueError, match=r"a timestamp of metadata .*in a time zone"):
        leads_of({"accutime": 5.0, "timestamps": [time]}, 2)


@pytest.mark.parametrize(
    "interval",
    [
        *(0, -5, np.nan, np.inf, 1e9, 1e-6, True, [5, 10], "5", "soon", "-5min"),
        *("900d", dt.timedelta(0), np.timedelta64("NaT"), np.timedelta64(5)),
    ],
)
def test_what_is_no_interval(interval) -> None:
    with pytest.raises(ValueError, match=r"interval is .*, wanted a time above"):
        leads_of({}, 2, interval=interval)
    with pytest.raises(ValueError, match=r"accutime is .*, wanted a time above"):
        leads_of({"accutime": interval}, 2)


@pytest.mark.parametrize(
    "metadata", [{}, {"accutime": None}, {"timestamps": every(5, 1)}]
)
def test_without_a_time_between_frames(metadata: dict) -> None:
    with pytest.raises(ValueError, match=r"no accutime, wanted .*pass interval='5min'"):
        leads_of(metadata, 2)


def test_irregular_timestamps() -> None:
    stamps = [*every(5, 3), *every(5, 1, NOON + pd.Timedelta("25min"))]
    with pytest.raises(ValueError, match=r"irregular timestamps, 5 to 15 minutes"):
        leads_of({"timestamps": stamps}, 2)
    leads, reference = leads_of({"timestamps": stamps}, 2, interval=5)
    assert minutes(leads) == [5, 10]
    assert reference == NOON + pd.Timedelta("25min")
    for wrong in (stamps[::-1], [stamps[0], stamps[0]]):
        with pytest.raises(ValueError, match="timestamps twice or out of order"):
            leads_of({"timestamps": wrong}, 3, interval=5)


@pytest.mark.parametrize(
    "leadtimes", [[5.0], [5, 5], [10, 5], [5, np.nan], ["5", "10"], [5, 10, 15], []]
)
def test_what_are_no_leadtimes(leadtimes: list) -> None:
    with pytest.raises(ValueError, match=r"the leadtimes .* for 2 frames, wanted"):
        leads_of({"leadtimes": leadtimes}, 2)


def test_timestamps_and_leadtimes_that_do_not_agree() -> None:
    metadata = {"leadtimes": [5.0, 10.0], "timestamps": every(5, 3)}
    with pytest.raises(ValueError, match="3 timestamps beside 2 leadtimes, wanted one"):
        leads_of(metadata, 2)
    metadata = {"leadtimes": [5.0, 10.0], "timestamps": every(6, 2)}
    with pytest.raises(ValueError, match="timestamps that are not a lead time"):
        leads_of(metadata, 2)


def forecast(*leads: int, **coords) -> xr.DataArray:
    lead = np.array(leads, "timedelta64[m]").astype("timedelta64[ns]")
    return xr.DataArray(np.zeros(len(leads)), {"lead": lead, **coords}, dims="lead")


def test_what_pysteps_is_told_of_times() -> None:
    told = times_of(forecast(5, 10, 15, reference_time=NOON.to_datetime64()))
    assert told["accutime"] == 5.0
    assert told["leadtimes"].tolist() == [5, 10, 15]
    assert told["timestamps"].tolist() == every(5, 4)[1:]
    valid = ("lead", np.array(every(5, 2), "datetime64[ns]"))
    told = times_of(forecast(10, 15, time=valid))
    assert told["timestamps"].tolist() == every(5, 2)
    assert "timestamps" not in times_of(forecast(5, 10))


def test_without_one_step_there_is_no_accutime() -> None:
    assert times_of(forecast(5, 10, 20))["accutime"] is None
    assert times_of(forecast(30))["accutime"] is None


def test_a_forecast_without_leads_says_so() -> None:
    with pytest.raises(ValueError, match="the forecast has no lead times"):
        times_of(forecast(5, 10).drop_vars("lead"))
