"""How large a request may be. Most are small (`app.LARGEST_BODY`); a view that takes more says so."""

from collections.abc import Callable
from typing import Any, TypeVar

from apiflask import APIFlask
from flask import request

View = TypeVar("View", bound=Callable[..., Any])
_MARK = "_contactcentre_largest"


def takes(largest: int) -> Callable[[View], View]:
    """The view takes a body of so many bytes."""

    def mark(view: View) -> View:
        setattr(view, _MARK, largest)
        return view

    return mark


def install(app: APIFlask) -> None:
    """Before anything else looks at a request's body, for the first look decides."""

    @app.before_request
    def make_room() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if largest := getattr(view, _MARK, 0):
            request.max_content_length = largest
