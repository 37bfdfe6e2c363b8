"""The dashboard: pages, API and live stream. Speaks to controllers only through `live`."""

__all__ = ["create_app", "first_run_link"]


def __getattr__(name: str) -> object:
    """Flask and the checks of passwords are imported only by those who need them, not with each module here."""
    if name == "create_app":
        from contactcentre.web.app import create_app

        return create_app
    if name == "first_run_link":
        from contactcentre.web.accounts import first_run_link

        return first_run_link
    raise AttributeError(name)
