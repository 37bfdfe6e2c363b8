"""Reading and writing SIP as a simulated phone does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactcentre.lab.sip import (
    PCMA,
    PCMU,
    Message,
    NotSip,
    authorization,
    display_of,
    quoted,
    read_sdp,
    response,
    tag_of,
    uri_of,
    user_of,
    write_sdp,
)


def test_a_message_survives_writing_and_reading() -> None:
    sent = Message(
        "INVITE sip:a@b SIP/2.0", [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx;rport"), ("CSeq", "7 INVITE")], "body"
    )
    read = Message.parse(sent.encode())
    assert (read.method, read.uri, read.status, read.body) == ("INVITE", "sip:a@b", 0, "body")
    assert (read.cseq, read.branch) == ((7, "INVITE"), "z9hG4bKx")


def test_compact_and_folded_headers_are_understood() -> None:
    read = Message.parse(b"SIP/2.0 200 OK\r\ni: 1@h\r\nSubject: a\r\n  b\r\n\r\n")
    assert (read.status, read.get("Call-ID"), read.get("subject")) == (200, "1@h", "a b")


@pytest.mark.parametrize("datagram", [b"", b"\r\n\r\n", b"\x00\xff\x80", b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_sip_is_refused(datagram: bytes) -> None:
    with pytest.raises(NotSip):
        Message.parse(datagram)


def test_a_response_repeats_what_identifies_the_request_and_adds_a_tag_once() -> None:
    request = Message("BYE sip:a@b SIP/2.0", [("Via", "1"), ("Via", "2"), ("To", "<sip:a@b>"), ("CSeq", "1 BYE")])
    reply = response(request, 486, tag="t1")
    assert reply.start == "SIP/2.0 486 Busy Here"
    assert reply.all("via") == ["1", "2"]
    assert tag_of(reply.get("to")) == "t1"
    assert response(reply, 200, tag="t2").get("to") == reply.get("to")


@given(st.text())
def test_any_display_name_is_quoted_on_one_line_and_read_back(name: str) -> None:
    written = f"{quoted(name)} <sip:someone@127.0.0.1:5060>;tag=1"
    assert "\r" not in written
    assert "\n" not in written
    assert display_of(written) == "".join(" " if c in "\r\n\0" else c for c in name)
    assert uri_of(written) == "sip:someone@127.0.0.1:5060"
    assert user_of(written) == "someone"


def test_the_digest_of_rfc_2617_section_3_5_comes_out_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contactcentre.lab.sip.secrets.token_hex", lambda _: "0a4f113b")
    challenge = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    answer = authorization(challenge, "Mufasa", "Circle Of Life", "GET", "/dir/index.html")
    assert 'response="6629fae49393a05397450978507c4ef1"' in answer
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer


def test_an_offer_is_read_with_its_codec_and_the_payload_type_of_its_digits() -> None:
    offer = read_sdp(write_sdp("127.0.0.1", 4000, (PCMA, PCMU), 96))
    assert offer is not None
    assert (offer.host, offer.port, offer.codec, offer.events, offer.sending) == ("127.0.0.1", 4000, PCMA, 96, True)
    held = read_sdp(write_sdp("127.0.0.1", 4000).replace("sendrecv", "sendonly"))
    assert held is not None
    assert not held.sending
    assert read_sdp("v=0\r\nm=audio 4000 RTP/AVP 96\r\nc=IN IP4 127.0.0.1\r\n") is None
    assert read_sdp("") is None
