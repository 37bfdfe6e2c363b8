"""In which language a page is: what the account chose, else the first that the browser asks for and we have, else the
setting `CONTACTCENTRE_LANGUAGE`."""

from typing import Any

from apiflask import APIFlask
from flask import Response, request
from flask_babel import Babel

from contactcentre.languages import DIRECTORY, NAMES
from contactcentre.live.errors import LiveError
from contactcentre.store import StoreUnavailable
from contactcentre.web import language
from contactcentre.web.session import current_account


def install(app: APIFlask, otherwise: str) -> None:
    """`otherwise`: the setting."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(DIRECTORY)
    Babel(app, default_locale=otherwise, locale_selector=_chosen)
    for words in (language.say, language.capital, language.part, language.new_thing):
        app.add_template_filter(words)

    @app.context_processor
    def current() -> dict[str, Any]:
        return {"language": language.current()}

    @app.after_request
    def tell(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.vary.add("Accept-Language")
            response.content_language.add(language.current())
        return response


def _chosen() -> str | None:
    """None: the setting's."""
    try:
        account = current_account()
    except (StoreUnavailable, LiveError):  # the page says so, in the browser's language
        account = None
    if account is not None and account.user.language in NAMES:
        return account.user.language
    wanted = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality > 0)
    return next((language for language in wanted if language in NAMES), None)
