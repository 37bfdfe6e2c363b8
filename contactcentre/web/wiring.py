"""How a view reaches the services its application was built with."""

from typing import TYPE_CHECKING, cast

from flask import current_app
from flask_limiter import Limiter

if TYPE_CHECKING:
    from contactcentre.web.app import WebServices


def services() -> "WebServices":
    return cast("WebServices", current_app.extensions["contactcentre"])


def limiter() -> Limiter:
    return cast(Limiter, current_app.extensions["contactcentre.limiter"])
