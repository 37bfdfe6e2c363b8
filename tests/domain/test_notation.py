import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.domain.notation import decode, encode, encode_line

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_written_is_read_back_as_it_was_here_and_by_everybody_else(value: object) -> None:
    text = encode(value)
    assert decode(text) == value
    assert decode(text.encode()) == value
    assert json.loads(text) == value
    assert "\n" not in text
    assert encode_line(value) == f"{text}\n".encode()


@pytest.mark.parametrize("strange", ["\ud800", "a\x00b\u2028", 2**80, {"x": ("\udfff", -(2**70))}])
def test_what_a_caller_can_send_and_json_can_say_is_written(strange: object) -> None:
    assert json.loads(encode(strange)) == json.loads(json.dumps(strange))
    assert encode_line(strange) == f"{encode(strange)}\n".encode()
    assert decode(json.dumps(strange)) == json.loads(json.dumps(strange))  # beyond 64 bits: the same as a float


@pytest.mark.parametrize("text", ["", "{", "nul", '{"a":1} x', b"\xff", b'"\xff"'])
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
        decode(text)


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"x": object()})
    with pytest.raises(TypeError):
        encode_line({"x": object()})
