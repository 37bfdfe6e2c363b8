"""A private PostgreSQL and a private Redis under the state directory, for when no other is named.

    with embedded.services(settings) as services:
        services.database_url, services.redis_url

Users hold a shared flock on `<state>/embedded/users.lock`. A detached keeper process runs both servers as
its children and, once it gets that lock exclusively (no user is left: the kernel frees the locks of the
killed too), stops them and exits. Whoever needs the services and finds no keeper starts one; the keeper's own
lock lets only one live.
"""

from contactcentre.embedded.places import EmbeddedError
from contactcentre.embedded.users import Services, services

__all__ = ["EmbeddedError", "Services", "services"]
