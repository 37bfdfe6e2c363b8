"""The prompts: a list, to hear, replace and take away."""

from apiflask import APIBlueprint
from flask import render_template
from flask.typing import ResponseReturnValue

from contactcentre.web.pages.site import around
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.prompts import rows, voice_missing

blueprint = APIBlueprint("prompt_pages", __name__, url_prefix="/admin/prompts", enable_openapi=False)


@blueprint.get("")
@requires(Permission.SITE)
def page() -> ResponseReturnValue:
    found = rows()
    languages = sorted({one.language for one in found} | {"en"})
    return render_template(
        "admin/prompts.html", prompts=found, languages=languages, voice=voice_missing(), **around("prompts")
    )
