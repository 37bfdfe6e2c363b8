"""Prompts: listed, put there as a sound file or as a text that is spoken, heard, and taken away."""

from typing import Annotated

from apiflask import APIBlueprint
from flask import Response, request, send_file
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.prompts.files import LARGEST
from contactcentre.web.errors import NotFound
from contactcentre.web.openapi import answers
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.prompts import PromptRow, one, remove, rows, speak, upload, voice_missing
from contactcentre.web.room import takes
from contactcentre.web.rows import Row
from contactcentre.web.windows import NEXT, Window

blueprint = APIBlueprint("prompts", __name__, url_prefix="/api/v1/prompts", tag="Site")


class PromptList(Row):
    prompts: list[PromptRow]
    next: str = NEXT
    voice: str = Field(description="what is missing for texts to be spoken; empty: nothing")


class Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=2000)]


@blueprint.get("")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(PromptList)
@blueprint.doc(
    summary="Which prompts there are, and which are needed",
    description="Of the machine that the pages run on: each node's controller plays those of its own.",
)
@requires(Permission.SITE)
def listing(wanted: Window) -> PromptList:
    found, after = wanted.of(rows(), lambda one: f"{one.name} {one.language}")
    return PromptList(prompts=found, voice=voice_missing(), next=after)


@blueprint.put("/<language>/<name>")
@blueprint.output(PromptRow)
@blueprint.doc(
    summary="A sound file",
    description="The body is the file: WAV, FLAC, Ogg, MP3, at least 8000 samples a second, at most 5 minutes and "
    "20 MB. It is kept as mono WAV of 8000 Hz, which every PBX plays, in the place of what there was.",
    responses={422: "It cannot be used", 503: "The prompts' directory cannot be changed"},
)
@requires(Permission.SITE)
@takes(LARGEST)
def put(language: str, name: str) -> PromptRow:
    return upload(language, name, request.get_data(cache=False))


@blueprint.post("/<language>/<name>/speak")
@blueprint.input(Words, location="json", arg_name="words")
@blueprint.output(PromptRow)
@blueprint.doc(summary="A text, spoken and kept as a sound file", responses={503: "There is no voice: espeak-ng"})
@requires(Permission.SITE)
def say(language: str, name: str, words: Words) -> PromptRow:
    return speak(language, name, words.text)


@blueprint.get("/<language>/<name>/audio")
@answers("audio/wav")
@blueprint.doc(
    summary="Hear it",
    responses={200: "Sound", 206: "A part of it", 404: "There is no sound file, or none that browsers play"},
)
@requires(Permission.SITE)
def audio(language: str, name: str) -> Response:
    found = one(language, name)
    if found.path.suffix != ".wav":
        raise NotFound(phrase("%(suffix)s is a form that only the PBX plays", suffix=found.path.suffix[1:]))
    return send_file(found.path, mimetype="audio/wav", conditional=True)


@blueprint.delete("/<language>/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    summary="Take a sound file away",
    description="Refused when the site would then break a rule: something needs it, and there is no text for it.",
    responses={404: "No such prompt", 409: "It is needed"},
)
@requires(Permission.SITE)
def delete(language: str, name: str) -> tuple[str, int]:
    remove(language, name)
    return "", 204
