"""`Idempotency-Key`: a POST that is sent twice is done once, and answered alike
(draft-ietf-httpapi-idempotency-key-header).

A program that got no answer cannot know whether its request was carried out. With a key of its own choice it may send
the same again, for 24 hours. The answers lie in Redis, encrypted, for they hold what callers say and tokens.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask
from cryptography.fernet import Fernet, InvalidToken
from flask import Response, g, request

from contactcentre import logs
from contactcentre.domain.sentences import phrase
from contactcentre.live.connection import PREFIX, ask
from contactcentre.live.errors import LiveError
from contactcentre.web.errors import BadValue, WebError
from contactcentre.web.session import signed_in
from contactcentre.web.wiring import services

HEADER = "Idempotency-Key"
KEPT_SECONDS = 24 * 3600

WORKING_SECONDS = 300
"""So long a request may take at most. Should its process die, the key is free again after that."""

LONGEST = 200
TOLD = ("Content-Type", "ETag", "Location", "WWW-Authenticate")
"""Headers that belong to an answer."""

NOT_DONE = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
"""After these nothing was done, and sending it again is what the program should do: they are not kept."""

_WORKING = "working"

log = logs.get(__name__)


class KeyReused(WebError):
    status, code, title = (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "key_reused",
        phrase("This key came with another request before"),
    )


class InProgress(WebError):
    status, code, title = HTTPStatus.CONFLICT, "in_progress", phrase("The same request is being worked at")


def install(app: APIFlask) -> None:
    """Of every POST of the API. To be called when all routes are there."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/") and "POST" in (rule.methods or ()):
            app.view_functions[rule.endpoint] = _repeatable(app.view_functions[rule.endpoint])
    app.after_request(_keep)


def _repeatable(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def once(*args: Any, **kwargs: Any) -> Any:
        if request.method != "POST" or (key := request.headers.get(HEADER)) is None:
            return view(*args, **kwargs)
        answer = _claim(key)
        return view(*args, **kwargs) if answer is None else answer

    return once


def _claim(key: str) -> Response | None:
    """The answer that was given before; None: it is done now. Raises BadValue, KeyReused, InProgress, LiveError."""
    account = signed_in()
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise BadValue(f"{HEADER}: 1 to {LONGEST} printable ASCII characters")
    place = f"{PREFIX}web:repeat:{_hash(account.name.encode(), key.encode())}"
    print_ = _hash(request.full_path.encode(), request.headers.get("If-Match", "").encode(), request.get_data())
    redis = services().redis
    if ask(redis, "SET", place, f"{print_} {_WORKING}", "NX", "EX", WORKING_SECONDS):
        g.contactcentre_repeat = place, print_
        return None
    known, _, text = _text(ask(redis, "GET", place)).partition(" ")
    if text and known != print_:
        raise KeyReused("Take a new key for each request; the same only to send the same once more.")
    if not text or text == _WORKING:
        raise InProgress("Ask again in a moment.")
    try:
        said = json.loads(_cipher().decrypt(text))
    except InvalidToken:
        raise InProgress("The answer that was given cannot be read here: another secret key is in use.") from None
    response = Response(said["body"], said["status"], said["headers"])
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _keep(response: Response) -> Response:
    """The answer, for those who ask again."""
    if (claimed := g.pop("contactcentre_repeat", None)) is None:
        return response
    place, print_ = claimed
    headers = {name: response.headers[name] for name in TOLD if name in response.headers}
    said = {"status": response.status_code, "headers": headers, "body": response.get_data(as_text=True)}
    try:
        if response.status_code in NOT_DONE:
            ask(services().redis, "DEL", place)
        else:
            sealed = _cipher().encrypt(json.dumps(said).encode()).decode()
            ask(services().redis, "SET", place, f"{print_} {sealed}", "EX", KEPT_SECONDS)
    except LiveError as error:  # until it is free again the key answers that the request is being worked at
        log.error("web.answer_not_kept", error=str(error))
    return response


def _cipher() -> Fernet:
    key = hashlib.sha256(b"answers " + services().settings.secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def _hash(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")
