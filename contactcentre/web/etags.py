"""Versions of what can be changed, as HTTP says them: `ETag` with what is read, `If-Match` with what is changed."""

from flask import request

from contactcentre.web.errors import BadValue, Changed, MatchNeeded


def etag(version: int) -> dict[str, str]:
    """The headers of an answer."""
    return {"ETag": f'"{version}"'}


def wanted_version() -> int | None:
    """The version that the asker means to change; None: any. Raises BadValue."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    tags = [tag or "" for tag in request.if_match]  # an empty one comes as None
    if len(tags) != 1 or not tags[0].isdecimal() or len(tags[0]) > 9:
        raise BadValue("If-Match: give the ETag of what was read")
    return int(tags[0])


def agree(wanted: int | None, now: int, *, needed: bool = False) -> None:
    """What the asker means to change is what is there. `needed`: None will not do. Raises MatchNeeded, Changed."""
    if wanted is None and needed:
        raise MatchNeeded("If-Match: give the ETag of what was read")
    if wanted is not None and wanted != now:
        raise Changed("Read it again: somebody else has changed it.")
