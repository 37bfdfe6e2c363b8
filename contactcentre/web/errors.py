"""What the web says when something is wrong: problem JSON (RFC 9457) below `/api/v1`, a plain page elsewhere.

Every answer has a stable `code`; programs test that, people read `title` and `detail`. Of an unexpected error nothing
is shown but a number under which the log has the rest.
"""

import secrets
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Request, Response, json, render_template, request
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.live.errors import CommandFailed, LiveError, NoReply, NoSuchCall
from contactcentre.store import NotStorable, StoreUnavailable
from contactcentre.web import language

log = logs.get(__name__)


class WebError(Exception):
    """An error with a status, a stable code and a title; `detail` says what is the matter this time."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"
    title: str = phrase("Something went wrong here")

    def __init__(self, detail: str = "", **more: Any) -> None:
        super().__init__(detail or self.title)
        self.detail, self.more = detail, more


class SignInNeeded(WebError):
    status, code, title = HTTPStatus.UNAUTHORIZED, "sign_in_needed", phrase("Sign in first")


class TokenUnusable(WebError):
    status, code, title = HTTPStatus.UNAUTHORIZED, "token_unusable", phrase("The token cannot be used")


class SessionNeeded(WebError):
    status, code, title = HTTPStatus.FORBIDDEN, "session_needed", phrase("A token cannot do this: sign in")


class Forbidden(WebError):
    status, code, title = HTTPStatus.FORBIDDEN, "forbidden", phrase("Your role does not allow this")


class NotFound(WebError):
    status, code, title = HTTPStatus.NOT_FOUND, "not_found", phrase("There is no such thing")


class Conflict(WebError):
    status, code, title = HTTPStatus.CONFLICT, "conflict", phrase("That is not possible now")


class Changed(WebError):
    status, code, title = HTTPStatus.PRECONDITION_FAILED, "changed", phrase("Somebody else has changed it meanwhile")


class MatchNeeded(WebError):
    status, code, title = HTTPStatus.PRECONDITION_REQUIRED, "match_needed", phrase("Say which version is to be changed")


class Gone(WebError):
    status, code, title = HTTPStatus.GONE, "gone", phrase("It is no longer there")


class BadValue(WebError):
    """`errors` lists what is wrong: field, value, rule."""

    status, code, title = HTTPStatus.UNPROCESSABLE_ENTITY, "bad_value", phrase("A value is not acceptable")


class TooManyTries(WebError):
    status, code, title = HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", phrase("Too many tries; wait a little")


class Unavailable(WebError):
    status, code, title = HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", phrase("A part of the system does not answer")


CODES = {
    400: ("bad_request", phrase("The request is not understood")),
    404: ("not_found", phrase("There is no such page")),
    405: ("method_not_allowed", phrase("This address does not take that method")),
    413: ("too_large", phrase("The request is too large")),
    415: ("media_type", phrase("That media type is not accepted here")),
    416: ("range", phrase("That part of the file does not exist")),
    422: ("bad_value", phrase("A value is not acceptable")),
    429: ("rate_limited", phrase("Too many tries; wait a little")),
}


def for_programs(asked: Request) -> bool:
    """Whether a program asks, and reads JSON."""
    return asked.path.startswith("/api/v1/")


def install(app: APIFlask) -> None:
    """Registers the handlers on the application."""
    app.register_error_handler(WebError, _web_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(StoreUnavailable, _store_unavailable)
    app.register_error_handler(NotStorable, _not_storable)
    app.register_error_handler(LiveError, _live_unavailable)
    app.register_error_handler(CommandFailed, _refused)
    app.register_error_handler(NoReply, _no_reply)
    app.register_error_handler(NoSuchCall, _no_such_call)
    app.register_error_handler(RedisError, _live_unavailable)  # of the rate limits, which speak to Redis themselves
    app.register_error_handler(Exception, _unexpected)
    app.error_processor(_api_error)


def answer(status: int, code: str, title: str, detail: str = "", **more: Any) -> Response:
    """The error in the form that the asker reads: JSON below `/api/v1`, else a page."""
    status = int(status)
    if for_programs(request):
        body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail, **more}
        if shown := language.problem(code, title, detail):
            body["shown"] = shown
        return Response(json.dumps(body), status, content_type="application/problem+json")
    page = render_template("error.html", status=status, code=code, title=title, detail=detail, **more)
    return Response(page, status, content_type="text/html; charset=utf-8")


def _web_error(error: WebError) -> Response:
    response = answer(error.status, error.code, error.title, error.detail, **error.more)
    if error.status == HTTPStatus.UNAUTHORIZED and for_programs(request):
        response.headers["WWW-Authenticate"] = 'Bearer realm="contactcentre"'
    return response


def _csrf_error(error: CSRFError) -> Response:
    return answer(
        400, "form_expired", phrase("This form is too old"), phrase("Load the page again and send the form once more.")
    )


def _http_exception(error: HTTPException) -> Any:
    if error.code is None or error.code < 400:  # a redirect
        return error.get_response()
    code, title = CODES.get(error.code, (f"http_{error.code}", str(error.name)))
    response = answer(error.code, code, title)
    if error.code in (405, 416, 429):  # what these carry is part of their meaning: Allow, Content-Range, Retry-After
        for name, value in error.get_headers():
            if name in ("Allow", "Content-Range", "Retry-After"):
                response.headers[name] = value
    return response


def _api_error(error: HTTPError) -> Any:
    """APIFlask's own errors: a query or body that does not fit its schema."""
    code, title = CODES.get(error.status_code, (f"http_{error.status_code}", str(error.message)))
    return answer(error.status_code, code, title, errors=error.detail)


def _not_storable(error: NotStorable) -> Response:
    return answer(
        422, BadValue.code, BadValue.title, phrase("A value cannot be stored or looked for: %(error)s.", error=error)
    )


def _store_unavailable(error: StoreUnavailable) -> Response:
    log.error("web.store_unavailable", error=str(error))
    return answer(
        503, "store_unavailable", phrase("The database does not answer"), phrase("Calls go on. Try again in a moment.")
    )


def _live_unavailable(error: LiveError | RedisError) -> Response:
    log.error("web.live_unavailable", error=str(error))
    return answer(
        503, "live_unavailable", phrase("The live state does not answer"), phrase("Calls go on. Try again in a moment.")
    )


def _refused(error: CommandFailed) -> Response:
    """What a controller said no to: its code and words, as they are."""
    if error.code in ("internal", "malformed"):
        return _unexpected(error)
    status = {"not_found": 404, "no_answer": 504}.get(error.code, 409)
    title = Conflict.title if status == 409 else phrase("It was not done")
    return answer(status, error.code, title, str(error))


def _no_reply(error: NoReply) -> Response:
    log.error("web.no_reply", error=str(error))
    return answer(
        504,
        "no_reply",
        phrase("The controller does not answer"),
        phrase("It may still be done: look before asking again."),
    )


def _no_such_call(error: NoSuchCall) -> Response:
    return answer(404, "not_found", phrase("There is no such call"), str(error))


def _unexpected(error: Exception) -> Response:
    reference = secrets.token_hex(4)
    log.exception("web.unexpected", reference=reference, path=request.path)
    return answer(
        500,
        "internal",
        WebError.title,
        phrase("The log has the rest under %(reference)s.", reference=reference),
        reference=reference,
    )
