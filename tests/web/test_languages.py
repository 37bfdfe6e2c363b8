"""Pages in other languages: which one, whether all is translated, and whether no text was forgotten."""

import gzip
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from apiflask import APIFlask
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from contactcentre.domain.sentences import phrase, phrase_of
from contactcentre.languages import DIRECTORY, NAMES, catalogue
from contactcentre.store import Store
from contactcentre.web import build
from contactcentre.web.language import date_and_time, problem, say
from tests.web.conftest import SignIn, post
from tests.web.serving import ROOT
from tests.web.templates import texts

OTHERS = [language for language in NAMES if language != "en"]
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%")
KEYWORDS = {
    "_": None, "N_": None, "gettext": None, "phrase": None,
    "ngettext": (1, 2), "phrase_of": (1, 2), "pgettext": ((1, "c"), 2),
}  # fmt: skip


def messages(language: str) -> Catalog:
    with (DIRECTORY / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def forms(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


@pytest.fixture(scope="module")
def found() -> set[tuple[str | None, str]]:
    """(context, text) of all that the code says to people."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    every = extract_from_dir(str(ROOT), methods, options, KEYWORDS, directory_filter=_ours)
    return {(context, text if isinstance(text, str) else text[0]) for _, _, text, _, context in every}


def _ours(directory: str) -> bool:
    name = Path(directory)
    return name == ROOT or "contactcentre" in name.relative_to(ROOT).parts


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_translated_and_keeps_what_is_put_into_it(language: str, found: set[tuple[str, str]]) -> None:
    known = messages(language)
    assert len(found) > 500
    missing = [text for context, text in found if known.get(text, context) is None]
    assert not missing, "make words"
    for message in known:
        if not message.id:
            continue
        one = message.id if isinstance(message.id, str) else message.id[1]
        assert not message.fuzzy
        for form in forms(message):
            assert form, f"{one!r} is not translated"
            assert sorted(PLACEHOLDER.findall(form)) == sorted(PLACEHOLDER.findall(one)), form


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_translated_is_still_said_somewhere(language: str, found: set[tuple[str, str]]) -> None:
    known = {(one.context, one.id if isinstance(one.id, str) else one.id[0]) for one in messages(language) if one.id}
    assert known <= found, "make words"


@pytest.mark.parametrize(
    "template", sorted((ROOT / "contactcentre/web/templates").rglob("*.html")), ids=lambda p: p.name
)
def test_no_template_has_a_text_that_cannot_be_translated(template: Path) -> None:
    assert list(texts(template.read_text())) == []


def test_the_look_at_templates_finds_a_forgotten_text() -> None:
    seen = texts(
        '<p title="A name">Hello {{ name }}</p>{% if x %}<b>{{ _("Good") }}</b>{% endif %}<i>{{ "No" if a else b }}</i>'
    )
    assert list(seen) == ["A name", "Hello", "No"]


def test_no_script_has_a_sentence_that_cannot_be_translated() -> None:
    """In a script a sentence is quoted, begins with a capital and has a blank in it, or ends with a full stop."""
    sentence = re.compile(r"""(["`])([A-Z][a-z’]+ [^"`]*|[A-Z][^"`]*[.…?])\1""")
    left = []
    for script in sorted((ROOT / "contactcentre/web/assets/js").glob("*.js")):
        for line in script.read_text().splitlines():
            code = re.sub(r"(?<!:)//.*", "", line)
            code = re.sub(r"""\b(_|ngettext)\("[^"]*"(, "[^"]*")?""", "", code)
            left += [f"{script.name}: {found[2]}" for found in sentence.finditer(code)]
    assert left == ["phone.js: Busy Here"]  # SIP's own words


def spoken(page: str) -> Iterator[str]:
    yield from re.findall(r'<html lang="(\w+)"', page)


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("fr-CA,fr;q=0.9,en;q=0.5", "fr"),
        ("ja,zh-CN;q=0.8", "zh"),
        ("ja", "en"),
        ("en-GB,de;q=0.9", "en"),
    ],
)
def test_the_sign_in_page_speaks_the_browsers_language(app: APIFlask, asked: str, language: str) -> None:
    answer = app.test_client().get("/login", headers={"Accept-Language": asked} if asked else {})
    assert list(spoken(answer.text)) == [language]
    assert "Accept-Language" in answer.headers["Vary"]
    assert catalogue(language).gettext("Sign in") in answer.text


def test_what_the_account_chose_counts_more_than_the_browser(sign_in: SignIn, store: Store) -> None:
    client = sign_in("agent")
    assert post(client, "/me", "/me/language", language="de").status_code == 303
    assert "Passwort ändern" in client.get("/me", headers={"Accept-Language": "fr"}).text
    assert store.audit_entries(action="user.language", limit=1)[0].detail == {"language": "de"}
    post(client, "/me", "/me/language", language="")
    assert "Changer le mot de passe" in client.get("/me", headers={"Accept-Language": "fr"}).text
    assert post(client, "/me", "/me/language", language="tlh").status_code == 422


def test_the_api_speaks_english_to_everybody(sign_in: SignIn) -> None:
    client = sign_in("supervisor")
    post(client, "/me", "/me/language", language="es")
    assert client.get("/api/v1/contacts/nothing").get_json()["title"] == "There is no such thing"


def test_a_problem_says_what_people_are_shown_in_their_language(sign_in: SignIn) -> None:
    client = sign_in("supervisor")
    assert "shown" not in client.get("/api/v1/agents/nobody/skills").get_json()
    post(client, "/me", "/me/language", language="de")
    said = client.get("/api/v1/agents/nobody/skills").get_json()
    assert said["shown"] == "es gibt keinen Agenten 'nobody'"
    assert said["detail"] == "there is no agent 'nobody'"


def test_what_a_controller_refuses_is_translated_by_its_code(app: APIFlask) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "es"}):
        assert problem("held_already", "That is not possible now", "the customer is on hold already") == (
            "El cliente ya está en espera."
        )
        assert problem("news", "That is not possible now", "no words for it") == "Ahora no es posible: no words for it"


@pytest.mark.parametrize(
    ("language", "shown"), [("en", "2026-12-24 09:05"), ("de", "24.12.2026 09:05"), ("fr", "24/12/2026 09:05")]
)
def test_a_time_is_written_as_the_language_does(app: APIFlask, language: str, shown: str) -> None:
    with app.test_request_context("/", headers={"Accept-Language": language}):
        assert date_and_time(datetime(2026, 12, 24, 9, 5, tzinfo=UTC), "%Y-%m-%d %H:%M") == shown


def test_the_first_load_of_a_page_stays_below_200_kB() -> None:
    """Compressed, with the catalogue of a language: the largest page is the agent's."""
    names = ("site.css", "app.js", "agent.js", "words-zh.js", "icon.svg")
    sizes = [len(gzip.compress((build.DIRECTORY / build.names()[name]).read_bytes())) for name in names]
    assert sum(sizes) < 200_000


def test_a_sentence_is_translated_with_what_is_in_it(app: APIFlask) -> None:
    number = phrase_of("%(num)s new message", "%(num)s new messages", 2)
    inside = phrase("%(what)s? Press again", what=number)
    assert inside == "2 new messages? Press again"
    with app.test_request_context("/", headers={"Accept-Language": "de"}):
        assert say(inside) == "2 neue Nachrichten? Noch einmal drücken"
        assert say("abandoned") == "abgebrochen"
        assert say("a name") == "a name"
        assert say(None) == ""
