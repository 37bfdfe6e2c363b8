"""The API's description as a page on which it can be tried out."""

from apiflask import APIBlueprint
from flask import Response, make_response, render_template
from flask.typing import ResponseReturnValue

from contactcentre.web.permissions import Permission, requires

blueprint = APIBlueprint("tryout", __name__, enable_openapi=False)


@blueprint.get("/api/")
@requires(Permission.SELF)
def page() -> ResponseReturnValue:
    from contactcentre.web.app import CONTENT_SECURITY_POLICY

    response: Response = make_response(render_template("tryout.html"))
    # the library's style sheet has small pictures in itself; scripts and styles stay as strict as everywhere
    policy = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")
    response.headers["Content-Security-Policy"] = policy
    return response
