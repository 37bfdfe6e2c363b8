"""What is sent to FreeSWITCH: nothing that people type ends a command, leaves its quotes or is expanded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.errors import Gone, PbxError, Refused, TooLarge
from contactcentre.pbx.freeswitch.protocol import (
    MAX_COMMAND,
    api,
    bgapi,
    command,
    error_of,
    execute,
    harmless,
    identity,
    variables,
    word,
)

pieces = st.sampled_from(["\n", "\r", "\0", "${", "$", "{", "}", "'", "\\", ",", "a"])
texts = st.text(max_size=60) | st.lists(pieces).map("".join)


@given(texts)
def test_a_command_is_one_command_or_none(text: str) -> None:
    makers = (
        lambda: api(f"x {text}"),
        lambda: bgapi("j1", text),
        lambda: command("sendevent CUSTOM", {"X": text}),
        lambda: command("sendevent CUSTOM", {text: "x"}),
        lambda: execute("u1", "playback", text),
        lambda: execute(text, "playback", "x"),
        lambda: execute("u1", "playback", "x", key=text),
    )
    for make in makers:
        try:
            data = make()
        except PbxError:
            continue
        head, _, body = data.partition(b"\n\n")
        assert b"\r" not in data
        assert b"\0" not in data
        assert b"\n" not in body
        if length := re.search(rb"content-length: (\d+)", head):
            assert len(body) == int(length[1])
        else:
            assert body == b""


@given(texts)
def test_text_that_was_made_harmless_is_never_expanded_and_stays_on_its_line(text: str) -> None:
    safe = harmless(text)
    assert "${" not in safe
    assert not re.search(r"[\r\n\0]", safe)
    assert len(safe) == len(text)


@given(st.dictionaries(st.sampled_from(["origination_caller_id_name", "b", "c"]), texts, min_size=1))
def test_variables_of_originate_hold_together_whatever_is_in_them(values: dict[str, str]) -> None:
    made = variables(values)
    assert made.startswith("{")
    assert made.endswith("}")
    assert not set(made[1:-1]) & set("{}[]|^$")
    # read as FreeSWITCH does: commas part the variables even in quotes, unless escaped; so do quotes the values
    parts = re.split(r"(?<!\\),", made[1:-1])
    assert [part.partition("=")[0] for part in parts] == list(values)
    for part in parts:
        value = part.partition("=")[2]
        assert re.fullmatch(r"'(?:[^'\\]|\\['\\,])*'", value)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("Jean Petit", "{n='Jean Petit'}"),
        ("Petit, Jean", "{n='Petit\\, Jean'}"),
        ("O'Neil", "{n='O\\'Neil'}"),
        ("a}b{c", "{n='abc'}"),
        ("${system(id)}", "{n='%system(id)'}"),
        ('say "hi"', "{n='say \"hi\"'}"),
    ],
)
def test_values_are_quoted_as_a_real_freeswitch_reads_them(value: str, quoted: str) -> None:
    assert variables({"n": value}) == quoted


def test_a_name_of_a_variable_that_is_syntax_is_refused() -> None:
    with pytest.raises(Refused, match="variable"):
        variables({"a=b,c": "d"})


def test_an_application_is_completed_by_the_key_it_is_given() -> None:
    data = execute("u1", "playback", "/a b.wav", key="p1", queued=True)
    assert data == (
        b"sendmsg u1\ncall-command: execute\nexecute-app-name: playback\nEvent-UUID: p1\nevent-lock: true\n"
        b"content-type: text/plain\ncontent-length: 8\n\n/a b.wav"
    )
    assert execute("u1", "park") == b"sendmsg u1\ncall-command: execute\nexecute-app-name: park\n\n"


def test_a_job_has_the_name_that_it_is_waited_for_by() -> None:
    assert bgapi("j1", "status") == b"bgapi status\nJob-UUID: j1\n\n"


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a\nb", "x" * 121, "a,b", "é"])
def test_what_cannot_be_an_id_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="id"):
        identity(text)


@pytest.mark.parametrize("text", ["", "a b", "a'b", "a\nb", "${x}"])
def test_an_argument_that_would_be_two_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        word(text)


def test_a_command_is_not_longer_than_may_be() -> None:
    assert len(api("x" * (MAX_COMMAND - 6))) == MAX_COMMAND
    with pytest.raises(TooLarge):
        api("x" * (MAX_COMMAND - 5))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("+OK accepted", None),
        ("true", None),
        ("", None),
        ("_undef_", None),
        ("-ERR No such channel!\n", Gone),
        ("-ERR invalid uuid\n", Gone),
        ("-ERR Invalid uuid\n", Gone),
        ("-ERR Cannot locate session!\n", Gone),
        ("-ERR invalid session id [u1]", Gone),
        ("-ERR nosuchapi Command not found!\n", Refused),
        ("-ERR Operation failed\n", Refused),
        ("-USAGE: <uuid> <other_uuid>\n", Refused),
    ],
)
def test_an_answer_says_what_is_wrong(answer: str, error: type[PbxError] | None) -> None:
    made = error_of(answer, "this")
    assert type(made) is (error or type(None))
    if made is not None:
        assert str(made).startswith("this: ")
