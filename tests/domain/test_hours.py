"""Opening hours by the clock on the wall: changes of the clocks, midnight, holidays, special days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.hours import DAYS, Opening, opening, problems, weekdays
from contactcentre.domain.site import Hours, Period

PARIS = ZoneInfo("Europe/Paris")


def at(text: str, zone: str = "Europe/Paris", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def hours(*periods: tuple[str, str, str], **rest: object) -> Hours:
    made = [{"days": days, "open": start, "close": end} for days, start, end in periods]
    return Hours.model_validate({"timezone": "Europe/Paris", "periods": made, **rest})


OFFICE = hours(("mon-fri", "09:00", "18:00"), ("sat", "09:00", "12:00"), holidays="FR")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23 08:59:59", Opening.CLOSED),
        ("2026-11-23 09:00", Opening.OPEN),
        ("2026-11-23 17:59:59", Opening.OPEN),
        ("2026-11-23 18:00", Opening.CLOSED),
        ("2026-11-28 11:00", Opening.OPEN),
        ("2026-11-28 12:00", Opening.CLOSED),
        ("2026-11-29 11:00", Opening.CLOSED),
        ("2026-12-25 10:00", Opening.HOLIDAY),
        ("2026-12-25 03:00", Opening.HOLIDAY),
        ("2026-04-06 10:00", Opening.HOLIDAY),  # Easter Monday moves with the moon
    ],
)
def test_an_office_is_open_in_its_periods_and_not_on_public_holidays(moment: str, expected: Opening) -> None:
    assert opening(OFFICE, at(moment)) is expected


def test_the_same_moment_is_judged_by_the_clock_of_the_place() -> None:
    moment = at("2026-11-23 08:30", "UTC")
    assert opening(OFFICE, moment) is Opening.OPEN
    assert opening(OFFICE.model_copy(update={"timezone": "America/New_York"}), moment) is Opening.CLOSED


def test_a_holiday_can_be_one_of_a_part_of_the_country() -> None:
    epiphany = at("2026-01-06 10:00", "Europe/Berlin")
    week = {"timezone": "Europe/Berlin", "periods": [{"days": "mon-fri", "open": "09:00", "close": "18:00"}]}
    assert opening(Hours.model_validate({**week, "holidays": "DE-BY"}), epiphany) is Opening.HOLIDAY
    assert opening(Hours.model_validate({**week, "holidays": "DE-BE"}), epiphany) is Opening.OPEN


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    night = hours(("fri", "22:00", "06:00"))
    assert opening(night, at("2026-11-27 21:59")) is Opening.CLOSED
    assert opening(night, at("2026-11-27 22:00")) is Opening.OPEN
    assert opening(night, at("2026-11-28 05:59")) is Opening.OPEN
    assert opening(night, at("2026-11-28 06:00")) is Opening.CLOSED
    assert opening(night, at("2026-11-28 23:00")) is Opening.CLOSED


def test_a_night_shift_before_a_holiday_ends_in_it_and_the_holiday_begins_none() -> None:
    night = hours(("mon-sun", "22:00", "06:00"), holidays="FR")
    assert opening(night, at("2026-12-25 03:00")) is Opening.OPEN
    assert opening(night, at("2026-12-25 23:00")) is Opening.HOLIDAY
    assert opening(night, at("2026-12-26 03:00")) is Opening.CLOSED


def test_a_special_opening_wins_over_holidays_and_periods() -> None:
    special = OFFICE.model_copy(update={"open": {"2026-12-25": ("10:00", "11:00"), "2026-11-23": ("20:00", "02:00")}})
    assert opening(special, at("2026-12-25 10:30")) is Opening.OPEN
    assert opening(special, at("2026-12-25 12:00")) is Opening.CLOSED
    assert opening(special, at("2026-11-23 10:00")) is Opening.CLOSED
    assert opening(special, at("2026-11-24 01:59")) is Opening.OPEN


def test_a_special_closing_is_like_a_holiday() -> None:
    party = OFFICE.model_copy(update={"closed": ("2026-11-23",)})
    assert opening(party, at("2026-11-23 10:00")) is Opening.HOLIDAY


def test_twentyfour_o_clock_is_the_end_of_the_day() -> None:
    always = hours(("mon-sun", "00:00", "24:00"))
    assert opening(always, at("2026-11-23 23:59:59")) is Opening.OPEN
    assert opening(always, at("2026-11-24 00:00")) is Opening.OPEN


def test_when_the_clocks_go_forward_the_missing_hour_is_simply_missing() -> None:
    early = hours(("sun", "01:30", "03:30"))
    before = at("2026-03-29 01:59:59")
    assert opening(early, before) is Opening.OPEN
    assert opening(early, before + 1) is Opening.OPEN  # 03:00
    assert opening(early, before + 1 + 1800) is Opening.CLOSED  # 03:30


def test_when_the_clocks_go_back_the_double_hour_counts_twice() -> None:
    early = hours(("sun", "02:00", "03:00"))
    assert opening(early, at("2026-10-25 02:30", fold=0)) is Opening.OPEN
    assert opening(early, at("2026-10-25 02:30", fold=1)) is Opening.OPEN
    assert at("2026-10-25 02:30", fold=1) - at("2026-10-25 02:30", fold=0) == 3600


clock = st.integers(0, 24 * 60 - 1).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
moments = st.integers(1_704_067_200, 1_861_919_999).map(lambda at: datetime.fromtimestamp(at, UTC))  # 2024 to 2028


@given(st.lists(st.tuples(st.sampled_from(DAYS), clock, clock), max_size=4), moments)
def test_open_means_that_the_wall_clock_lies_in_a_period_of_today_or_a_night_shift_of_yesterday(
    periods: list[tuple[str, str, str]], moment: datetime
) -> None:
    local = moment.astimezone(PARIS)
    now, today = local.strftime("%H:%M"), DAYS[local.weekday()]
    yesterday = DAYS[(local.weekday() - 1) % 7]
    expected = any(
        (day == today and start <= now and (now < end or end <= start))
        or (day == yesterday and end <= start and now < end)
        for day, start, end in periods
    )
    assert (opening(hours(*periods), moment.timestamp()) is Opening.OPEN) is expected


@given(st.lists(st.tuples(st.sampled_from(DAYS), clock, clock), max_size=4), moments)
def test_a_week_later_by_the_wall_clock_it_is_the_same(periods: list[tuple[str, str, str]], moment: datetime) -> None:
    local = moment.astimezone(PARIS)
    later = (local.replace(tzinfo=None) + timedelta(days=7)).replace(tzinfo=PARIS, fold=local.fold)
    if later.astimezone(UTC).astimezone(PARIS).replace(tzinfo=None) != later.replace(tzinfo=None):
        return  # that hour does not exist a week later
    assert opening(hours(*periods), moment.timestamp()) is opening(hours(*periods), later.timestamp())


def test_days_are_named_alone_in_ranges_and_around_the_week() -> None:
    assert weekdays("mon-fri") == {0, 1, 2, 3, 4}
    assert weekdays("mon, WED,fri") == {0, 2, 4}
    assert weekdays("sat-mon") == {5, 6, 0}


@pytest.mark.parametrize("spec", ["", "monday", "mon-", "-fri", "mon--fri", "1-5", "mon;tue"])
def test_what_is_no_day_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="is no day"):
        weekdays(spec)


def test_every_problem_of_hours_is_told_with_its_field_and_value() -> None:
    wrong = Hours(
        timezone="Europe/Lutetia",
        periods=(
            Period(days="mon-wed-fri", open="09:00", close="18:00"),
            Period(days="sat", open="10:00", close="10:00"),
        ),
        holidays="XX",
        closed=("2026-13-01",),
        open={"2026-02-30": ("09:00", "17:00"), "2026-12-24": ("09:00", "09:00")},
    )
    assert [(field, value) for field, value, _ in problems(wrong)] == [
        ("timezone", "Europe/Lutetia"),
        ("periods.0.days", "mon-wed-fri"),
        ("periods.1.close", "10:00"),
        ("holidays", "XX"),
        ("closed", "2026-13-01"),
        ("open", "2026-02-30"),
        ("open.2026-12-24", "09:00-09:00"),
    ]
    assert problems(OFFICE) == []
