"""How a view reaches the services its application was built with."""

from typing import TYPE_CHECKING, cast

from flask import current_app
from flask_limiter import Limiter

if TYPE_CHECKING:
    from contactcentre.web.app import WebServices
    from contactcentre.web.oidc import Provider


def services() -> "WebServices":
    return cast("WebServices", current_app.extensions["contactcentre"])


def limiter() -> Limiter:
    return cast(Limiter, current_app.extensions["contactcentre.limiter"])


def provider() -> "Provider | None":
    """Of sign-ins; None: the settings name none."""
    return cast("Provider | None", current_app.extensions["contactcentre.oidc"])
