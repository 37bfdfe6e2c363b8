"""Between Asterisk's words and ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.asterisk import translate
from contactcentre.pbx.errors import Refused
from contactcentre.pbx.events import Cause, Party


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("PJSIP/alice-00000001", "alice"),
        ("PJSIP/alice-home-0000001f", "alice-home"),
        ("Local/100@out-00000002;1", "100@out"),
        ("nonsense", ""),
    ],
)
def test_the_endpoint_is_in_the_channels_name(name: str, endpoint: str) -> None:
    assert translate.endpoint_of(name) == endpoint


@given(st.text(max_size=120), st.text(max_size=200))
def test_a_caller_id_has_one_name_in_quotes_and_one_number_in_brackets(number: str, name: str) -> None:
    text = translate.caller_id(Party(number, name))
    if text is None:
        return
    assert text.count('"') in (0, 2)
    assert (text.count("<"), text.count(">")) == (1, 1)
    assert text.endswith(">")
    assert not any(ord(sign) < 32 or sign in "\\;|," for sign in text)


@pytest.mark.parametrize(
    ("channel", "given_name", "name"),
    [
        ("PJSIP/lab-00000001", r"\"; rm -rf / #", '"; rm -rf / #'),
        ("PJSIP/lab-00000001", r"back\\slash", r"back\slash"),
        ("PJSIP/lab-00000001", "Zoë O'Connor", "Zoë O'Connor"),
        ("Local/100@out-00000002;1", r"as\it is", r"as\it is"),
    ],
)
def test_a_callers_name_is_what_was_meant_and_not_how_sip_quotes_it(channel: str, given_name: str, name: str) -> None:
    assert translate.party({"name": channel, "caller": {"name": given_name, "number": "1"}}) == Party("1", name)


@pytest.mark.parametrize(
    ("said", "formats"),
    [
        ("(alaw)", "alaw,ulaw"),
        ("(ulaw|alaw)", "ulaw,alaw"),
        ("(g722)", "g722,ulaw,alaw"),
        ("(slin16|opus)", "opus,ulaw,alaw"),
        ("(nothing, and more)", "ulaw,alaw"),
        ("", "ulaw,alaw"),
    ],
)
def test_a_phone_is_offered_what_the_other_speaks_and_then_what_everybody_does(said: str, formats: str) -> None:
    args = ("did", "+33155500001", f"speaks:{said}")
    assert translate.formats(translate.speaks(args)) == formats
    assert translate.without_speaks(args) == args[:2]


@pytest.mark.parametrize(
    ("place", "dialled"),
    [
        ({"app_name": "Stasis", "app_data": "cc,did,800,speaks:(alaw)"}, "800"),
        ({"app_name": "Stasis", "app_data": "cc,feature,*45,anna"}, "s"),
        ({"app_name": "Queue", "app_data": ""}, "s"),
        ({}, "s"),
    ],
)
def test_what_was_dialled_is_what_the_application_was_told_else_its_place(place: dict[str, str], dialled: str) -> None:
    assert translate.dialled({"exten": "s", **place}) == dialled


@given(st.text(max_size=60))
def test_a_dial_string_is_never_syntax(endpoint: str) -> None:
    try:
        text = translate.dial_string("PJSIP", endpoint)
    except Refused:
        return
    assert text == f"PJSIP/{endpoint}"
    assert not set(endpoint) & set("/&,()!:;|${}\n\r \"'")
    assert endpoint.count("@") <= 1


@given(st.text(max_size=60))
def test_a_medium_is_one_of_the_six_or_refused(text: str) -> None:
    kinds = ("sound", "digits", "number", "silence", "tone", "recording")
    for medium in (text, *(f"{kind}:{text}" for kind in kinds)):
        try:
            translated = translate.media(medium)
        except Refused:
            continue
        assert all(part.startswith(("sound:", "number:", "recording:")) for part in translated.split(","))
        assert ".." not in translated


@pytest.mark.parametrize(
    ("medium", "translated"),
    [
        ("sound:/var/lib/prompts/fr/welcome", "sound:/var/lib/prompts/fr/welcome"),
        ("digits:1*#A", "sound:digits/1,sound:digits/star,sound:digits/pound,sound:letters/a"),
        ("number:-42", "number:-42"),
        ("recording:0193f3a2-left", "recording:0193f3a2-left"),
        ("tone:beep", "sound:beep"),
        ("silence:12", "sound:silence/10,sound:silence/2"),
        ("silence:0.6", "sound:silence/1"),
    ],
)
def test_media_in_asterisks_words(medium: str, translated: str) -> None:
    assert translate.media(medium) == translated


def test_a_timestamp_is_epoch_seconds() -> None:
    assert translate.epoch("2026-11-23T06:23:29.916+0000") == pytest.approx(1795415009.916)
    assert translate.epoch("2026-11-23T07:23:29.916+0100") == pytest.approx(1795415009.916)


@pytest.mark.parametrize(
    ("value", "cause"), [(17, Cause.BUSY), (0, Cause.UNKNOWN), (127, Cause.UNKNOWN), ("x", 0), (None, 0)]
)
def test_a_cause_that_we_do_not_know_is_unknown(value: object, cause: Cause) -> None:
    assert translate.cause(value) is Cause(cause)
