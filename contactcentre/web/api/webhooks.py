"""Webhooks: who is told what happens, and what could not be told."""

from typing import Annotated

from apiflask import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.webhooks import ENDS, KINDS
from contactcentre.web import webhooks
from contactcentre.web.etags import agree, etag, wanted_version
from contactcentre.web.permissions import Permission, requires
from contactcentre.web.rows import Row
from contactcentre.web.webhooks import LetterRow, NewWish, WebhookRow, Wish, find
from contactcentre.web.windows import NEXT, Window
from contactcentre.web.wiring import services

blueprint = APIBlueprint("hooks", __name__, url_prefix="/api/v1", tag="Webhooks")

Answer = tuple[WebhookRow, int, dict[str, str]]
NOT_THERE = {404: "No such webhook"}


class WebhookList(Row):
    webhooks: list[WebhookRow]
    kinds: tuple[str, ...] = Field(description="what can be told")
    next: str = NEXT


class NewWebhook(WebhookRow):
    secret: str = Field(description="shown this once")


class Secret(Row):
    secret: str = Field(description="shown this once; the one before is of no use any more")


class Tested(Row):
    error: str = Field(description="empty: it was taken")
    status: int = Field(description="of the answer; 0: there was none")
    seconds: float


class Part(BaseModel):
    """`next` of one page is `cursor` of the next."""

    model_config = ConfigDict(extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200)] = 100
    cursor: Annotated[str, Field(pattern=r"^\d{0,18}$")] = ""


class Letters(Row):
    letters: list[LetterRow] = Field(description="newest first")
    next: str = NEXT


class ResendWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    messages: Annotated[list[str], Field(max_length=1000)] | None = Field(default=None, description="none: all")


class Resent(Row):
    messages: int


@blueprint.get("/webhooks")
@blueprint.input(Window, location="query", arg_name="wanted")
@blueprint.output(WebhookList)
@blueprint.doc(summary="All webhooks")
@requires(Permission.WEBHOOKS)
def listing(wanted: Window) -> WebhookList:
    found, after = wanted.of(map(WebhookRow.of, services().store.webhooks()), lambda one: one.name)
    return WebhookList(webhooks=found, kinds=(*KINDS, *ENDS), next=after)


@blueprint.post("/webhooks")
@blueprint.input(NewWish, location="json", arg_name="wish")
@blueprint.output(NewWebhook, status_code=201)
@blueprint.doc(
    summary="A new webhook",
    description="The answer has the secret that its messages are signed with.",
    responses={409: "There is one of this name", 422: "A value is not acceptable"},
)
@requires(Permission.WEBHOOKS)
def add(wish: NewWish) -> tuple[NewWebhook, int, dict[str, str]]:
    made, secret = webhooks.add(wish)
    return NewWebhook(**WebhookRow.of(made).model_dump(), secret=secret), 201, etag(made.version)


@blueprint.get("/webhooks/<name>")
@blueprint.output(WebhookRow)
@blueprint.doc(summary="One webhook", responses=NOT_THERE)
@requires(Permission.WEBHOOKS)
def one(name: str) -> Answer:
    found = find(name)
    return WebhookRow.of(found), 200, etag(found.version)


@blueprint.put("/webhooks/<name>")
@blueprint.input(Wish, location="json", arg_name="wish")
@blueprint.output(WebhookRow)
@blueprint.doc(
    summary="Change a webhook",
    description="With `If-Match`: the ETag of what was read. What is left out stays.",
    responses={
        **NOT_THERE,
        412: "Changed meanwhile",
        422: "A value is not acceptable",
        428: "If-Match is missing",
    },
)
@requires(Permission.WEBHOOKS)
def put(name: str, wish: Wish) -> Answer:
    after = webhooks.change(find(name), wish, wanted_version())
    return WebhookRow.of(after), 200, etag(after.version)


@blueprint.delete("/webhooks/<name>")
@blueprint.output({}, status_code=204)
@blueprint.doc(
    summary="Remove a webhook, with all that it was to be told", responses={**NOT_THERE, 412: "Changed meanwhile"}
)
@requires(Permission.WEBHOOKS)
def remove(name: str) -> str:
    found = find(name)
    agree(wanted_version(), found.version)
    webhooks.remove(found)
    return ""


@blueprint.post("/webhooks/<name>/test")
@blueprint.output(Tested)
@blueprint.doc(summary="Send one message of the kind `webhook.test` now", responses=NOT_THERE)
@requires(Permission.WEBHOOKS)
def test(name: str) -> Tested:
    sent = webhooks.test(find(name))
    return Tested(error=sent.error, status=sent.status, seconds=round(sent.seconds, 3))


@blueprint.post("/webhooks/<name>/secret")
@blueprint.output(Secret)
@blueprint.doc(summary="A new secret instead of the one there was", responses=NOT_THERE)
@requires(Permission.WEBHOOKS)
def secret(name: str) -> Secret:
    return Secret(secret=webhooks.new_secret(find(name)))


@blueprint.get("/webhooks/<name>/letters")
@blueprint.input(Part, location="query", arg_name="part")
@blueprint.output(Letters)
@blueprint.doc(summary="Messages that nobody took", responses=NOT_THERE)
@requires(Permission.WEBHOOKS)
def letters(name: str, part: Part) -> Letters:
    found, after = webhooks.letters(find(name), part.limit, part.cursor)
    return Letters(letters=[LetterRow.of(one) for one in found], next=after)


@blueprint.post("/webhooks/<name>/resend")
@blueprint.input(ResendWish, location="json", arg_name="wish")
@blueprint.output(Resent)
@blueprint.doc(summary="Send messages again that nobody took", description="With their ids.", responses=NOT_THERE)
@requires(Permission.WEBHOOKS)
def resend(name: str, wish: ResendWish) -> Resent:
    return Resent(messages=webhooks.resend(find(name), wish.messages))
