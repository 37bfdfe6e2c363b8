"""Logs: one line is one line whatever a caller calls himself, and no secret gets in."""

import io
import json
import logging
from collections.abc import Iterator

import gevent
import pytest
import structlog

from contactcentre import logs

HOSTILE = 'x\r\n2026 FAKE LINE \x1b[31m"; rm -rf / \u202e'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_hostile_caller_name_stays_on_its_line_and_sends_no_terminal_codes(stream: io.StringIO, style: str) -> None:
    logs.configure("info", style, stream)
    logs.get("x").info("call", caller_name=HOSTILE)
    logging.getLogger("y").info("foreign %s", HOSTILE)
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_secrets_and_passwords_in_urls_are_masked(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream, process="web")
    logs.get("x").info("link to redis://:s3cret@h/0", ari_secret="s3cret", url="http://u:s3cret@h/")
    logging.getLogger("y").warning("postgresql://u:s3cret@h/d")
    assert "s3cret" not in stream.getvalue()
    first = json.loads(stream.getvalue().splitlines()[0])
    assert (first["process"], first["level"], first["url"]) == ("web", "info", "http://u:***@h/")


def test_an_exception_is_one_json_line(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logs.get("x").exception("failed")
    assert "ValueError" in json.loads(stream.getvalue())["exception"]
    assert stream.getvalue().count("\n") == 1


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    logs.configure("warning", "console", stream)
    logs.get("x").info("quiet")
    logging.getLogger("y").info("quiet")
    assert stream.getvalue() == ""


def test_every_line_has_the_process_and_those_of_a_contact_s_greenlet_the_contact(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream, process="controller")

    def conduct() -> None:
        structlog.contextvars.bind_contextvars(contact_id="c1")
        logging.getLogger("contactcentre.pbx.asterisk.driver").warning("the driver's line")

    gevent.spawn(conduct).join()
    gevent.spawn(logging.getLogger("contactcentre.live").warning, "somebody else's").join()
    said = {line["event"]: line for line in map(json.loads, stream.getvalue().splitlines())}
    assert said["the driver's line"]["contact_id"] == "c1"
    assert {line["process"] for line in said.values()} == {"controller"}
    assert "contact_id" not in said["somebody else's"]
