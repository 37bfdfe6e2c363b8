"""Lists that are whole in memory, given out in pages."""

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

MOST = 1000

One = TypeVar("One")


class Window(BaseModel):
    """Which part of a list. `next` of one page is `cursor` of the next."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=MOST)] = MOST
    cursor: Annotated[str, Field(max_length=200)] = ""

    def of(self, rows: Iterable[One], key: Callable[[One], str]) -> tuple[list[One], str]:
        """The rows after the cursor, by their keys, which are all different; and the cursor of the next page, "" on
        the last one. So a row that comes or goes meanwhile moves no other over a page's edge."""
        left = sorted((one for one in rows if key(one) > self.cursor), key=key)
        more = key(left[self.limit - 1]) if len(left) > self.limit else ""
        return left[: self.limit], more


NEXT = Field("", description="cursor of the next page; empty on the last one")
