"""Codes that agents press during a conversation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.keying import CODE_PAUSE, FIRST_PAUSE, NUMBER_PAUSE, WITH_NUMBER, Keyed, Keypad, Step, clashes
from contactcentre.domain.site import Keys

KEYS = Keys()
DONE, BEGUN, GIVEN_UP = Step.DONE, Step.BEGUN, Step.GIVEN_UP


def presses(keys: str, keypad: Keypad | None = None, at: float = 100.0, every: float = 0.2) -> list[Keyed]:
    keypad = keypad or Keypad()
    found = (keypad.press(key, at + every * place, KEYS) for place, key in enumerate(keys))
    return [keyed for keyed in found if keyed is not None]


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ("*3", [Keyed(DONE, "hold")]),
        ("12*3", [Keyed(DONE, "hold")]),
        ("**3", [Keyed(DONE, "hold")]),
        ("*4*6", [Keyed(DONE, "complete"), Keyed(DONE, "cancel")]),
        ("*0", []),
        ("3", []),
        ("#1203#", [Keyed(BEGUN, "transfer"), Keyed(DONE, "transfer", "203")]),
        ("*2203#*4", [Keyed(BEGUN, "consult"), Keyed(DONE, "consult", "203"), Keyed(DONE, "complete")]),
        ("*2#", [Keyed(BEGUN, "consult"), Keyed(GIVEN_UP, "consult")]),
        ("*220*", [Keyed(BEGUN, "consult"), Keyed(GIVEN_UP, "consult")]),
    ],
)
def test_what_is_pressed_is_understood(keys: str, meant: list[Keyed]) -> None:
    assert presses(keys) == meant


def test_keys_that_follow_too_slowly_are_no_code() -> None:
    assert presses("*3", every=CODE_PAUSE) == []


def test_a_number_is_complete_when_no_key_follows() -> None:
    keypad = Keypad()
    presses("#120", keypad)
    last = 100.0 + 0.2 * 3
    assert keypad.until == pytest.approx(last + NUMBER_PAUSE)
    assert keypad.look(last + NUMBER_PAUSE - 0.1) is None
    assert keypad.look(last + NUMBER_PAUSE + 0.1) == Keyed(DONE, "transfer", "20")
    assert keypad.until is None


def test_a_number_that_never_begins_is_given_up() -> None:
    keypad = Keypad()
    presses("#1", keypad)
    assert keypad.look(100.2 + FIRST_PAUSE + 0.1) == Keyed(GIVEN_UP, "transfer")
    assert keypad.look(1000.0) is None


def test_a_code_that_is_turned_off_means_nothing() -> None:
    keypad = Keypad()
    keys = Keys(hold="")
    assert [keypad.press(key, 1.0, keys) for key in "*3"] == [None, None]


def test_codes_of_which_one_begins_like_another_are_named() -> None:
    assert clashes(KEYS) == []
    assert clashes(Keys(hold="*2", consult="*21")) == [("hold", "consult")]
    assert clashes(Keys(hold="*7", park="*7")) == [("hold", "park")]


@given(st.lists(st.tuples(st.sampled_from("0123456789*#"), st.floats(0, 4)), max_size=60))
def test_whatever_is_pressed_a_number_that_was_begun_ends_and_nothing_waits_for_ever(
    pressed: list[tuple[str, float]],
) -> None:
    keypad, at, found = Keypad(), 0.0, []
    for key, pause in pressed:
        at += pause
        found.append(keypad.look(at))
        found.append(keypad.press(key, at, KEYS))
    found.append(keypad.look(at + 100))
    assert keypad.until is None
    steps = [keyed.step for keyed in found if keyed is not None and keyed.verb in WITH_NUMBER]
    assert steps[::2] == [BEGUN] * len(steps[::2])
    assert BEGUN not in steps[1::2]
    assert len(steps) % 2 == 0
