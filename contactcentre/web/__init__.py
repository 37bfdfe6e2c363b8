"""The dashboard: pages, API and live stream. Speaks to controllers only through `live`."""

from contactcentre.web.accounts import first_run_link

__all__ = ["create_app", "first_run_link"]


def __getattr__(name: str) -> object:
    if name == "create_app":  # Flask and all its parts are imported only by the process that serves
        from contactcentre.web.app import create_app

        return create_app
    raise AttributeError(name)
