"""The prompts as people look after them: which there are, which are needed, and which of those are missing."""

from collections.abc import Callable

from flask import request
from pydantic import Field

from contactcentre.domain.flows.spoken import text_of
from contactcentre.domain.sentences import phrase
from contactcentre.prompts.files import BadPrompt, NotKept, PromptFile, PromptFiles
from contactcentre.prompts.speech import Prompts, SpeechError, Voice, bundled_texts
from contactcentre.provision.check import check
from contactcentre.web.errors import BadValue, Conflict, NotFound, Unavailable
from contactcentre.web.proposals import actor, site_of
from contactcentre.web.rows import Row
from contactcentre.web.session import address_of
from contactcentre.web.wiring import services


class Needed(Conflict):
    code, title = "needed", phrase("Something needs this prompt")


class CannotKeep(Unavailable):
    code, title = "not_kept", phrase("The prompts' directory cannot be changed here")


class PromptRow(Row):
    name: str
    language: str
    sound: bool = Field(description="there is a sound file")
    seconds: float | None
    bytes: int
    changed: float | None
    text: str = Field(description="spoken where there is no sound file; empty: none")
    needed: bool = Field(description="a queue, the settings or a flow needs it, and has no text of its own for it")


def rows() -> list[PromptRow]:
    """Sound files, and what is needed and has only a text, or nothing."""
    texts = bundled_texts()
    wanted = _wanted()
    files = {(one.name, one.language): one for one in _files().all()}
    return [
        _row(name, language, files.get((name, language)), texts, (name, language) in wanted)
        for name, language in sorted(files.keys() | wanted)
    ]


def upload(language: str, name: str, sound: bytes) -> PromptRow:
    """Audited. Raises BadValue, CannotKeep."""
    return _kept("prompt.upload", lambda: _files().put(language, name, sound))


def speak(language: str, name: str, text: str) -> PromptRow:
    """Audited. Raises BadValue, CannotKeep, Unavailable where there is no voice."""
    voice = Voice(services().settings.prompts_dir / "tts")
    return _kept("prompt.speak", lambda: _files().speak(language, name, text, voice))


def remove(language: str, name: str) -> None:
    """Audited. Raises NotFound, Needed, CannotKeep."""
    found = one(language, name)
    site = site_of(None)[1]
    now = Prompts(services().settings.prompts_dir).knows
    texts = bundled_texts()

    def then(prompt: str, spoken: str) -> bool:
        if prompt != name:
            return now(prompt, spoken)
        others = [one for one in _files().all() if one.name == name and one.language != language]
        heard = {one.language for one in others} & {spoken, spoken.partition("-")[0].partition("_")[0]}
        return bool(heard or text_of(texts.get(name, {}), spoken))

    before = check(site, now)
    if broken := [problem for problem in check(site, then) if problem not in before]:
        raise Needed(
            phrase("It would be missing: %(broken)s.", broken=", ".join(sorted({problem.where for problem in broken})))
        )
    try:
        _files().remove(found.language, found.name)
    except NotKept as error:
        raise CannotKeep(str(error)) from None
    _audit("prompt.remove", found)


def one(language: str, name: str) -> PromptFile:
    """Raises NotFound."""
    try:
        found = _files().one(language, name)
    except BadPrompt:
        found = None
    if found is None:
        raise NotFound(
            phrase("there is no sound file of %(name)s in %(language)s", name=name[:40], language=language[:20])
        )
    return found


def voice_missing() -> str:
    """Why no text can be spoken; "" = it can."""
    try:
        Voice.program()
    except SpeechError as error:
        return str(error)
    return ""


def _kept(action: str, make: Callable[[], PromptFile]) -> PromptRow:
    try:
        made = make()
    except BadPrompt as error:
        raise BadValue(f"{error}") from None
    except NotKept as error:
        raise CannotKeep(str(error)) from None
    except SpeechError as error:
        raise Unavailable(str(error)) from None
    _audit(action, made)
    return _row(made.name, made.language, made, bundled_texts(), (made.name, made.language) in _wanted())


def _wanted() -> set[tuple[str, str]]:
    asked: set[tuple[str, str]] = set()

    def note(name: str, language: str) -> bool:
        asked.add((name, language))
        return True

    check(site_of(None)[1], note)
    return asked


def _row(
    name: str, language: str, file: PromptFile | None, texts: dict[str, dict[str, str]], needed: bool
) -> PromptRow:
    return PromptRow(
        name=name,
        language=language,
        sound=file is not None,
        seconds=file.seconds if file else None,
        bytes=file.bytes if file else 0,
        changed=file.changed if file else None,
        text=text_of(texts.get(name, {}), language),
        needed=needed,
    )


def _files() -> PromptFiles:
    return PromptFiles(services().settings.prompts_dir)


def _audit(action: str, one: PromptFile) -> None:
    services().store.audit(actor(), action, f"{one.language}/{one.name}", {"bytes": one.bytes}, address_of(request))
