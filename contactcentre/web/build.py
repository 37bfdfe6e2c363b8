"""The pages' scripts and styles, built by esbuild (`npm ci && npm run build`) into `static/build`."""

import json
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask import Response, request, url_for

DIRECTORY = Path(__file__).parent / "static" / "build"
YEAR = 365 * 24 * 60 * 60


class NotBuilt(Exception):
    """The pages' assets were not built. The text says how."""

    def __init__(self) -> None:
        super().__init__("the pages' scripts and styles are not built yet: run `make assets` (npm ci && npm run build)")


def names() -> dict[str, str]:
    """Plain name -> name with the hash of its content. Raises NotBuilt."""
    try:
        found = json.loads((DIRECTORY / "manifest.json").read_text())
    except (OSError, ValueError):
        raise NotBuilt from None
    return {str(plain): str(hashed) for plain, hashed in found.items()}


def install(app: APIFlask) -> None:
    known: dict[str, str] = {}

    def asset(plain: str) -> str:
        if not known or app.debug:
            known.update(names())
        return url_for("static", filename=f"build/{known[plain]}")

    @app.context_processor
    def assets() -> dict[str, Any]:
        return {"asset": asset}

    @app.after_request
    def keep(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return response
