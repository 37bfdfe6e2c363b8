"""API tokens: one's own made, listed and revoked; everybody's, for admins."""

import time
from typing import Annotated, Self

from apiflask import APIBlueprint
from flask import request
from pydantic import BaseModel, ConfigDict, Field

from contactcentre.domain.sentences import phrase
from contactcentre.store import ApiToken, BadCursor, NoSuchToken
from contactcentre.web import tokens
from contactcentre.web.errors import BadValue, Forbidden, NotFound, SessionNeeded
from contactcentre.web.permissions import Permission, may, requires
from contactcentre.web.rows import Row
from contactcentre.web.session import SignedIn, address_of, signed_in
from contactcentre.web.wiring import services

blueprint = APIBlueprint("tokens", __name__, url_prefix="/api/v1", tag="Tokens")

EVERYBODY = "*"


class Filter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account: str = Field("", max_length=40, description=f"whose; nothing: one's own; {EVERYBODY}: everybody's (admins)")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: str = ""


class TokenWish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=tokens.LONGEST_NAME, description="what it is for")
    scopes: list[Permission] = Field(min_length=1, description="of what the account's role may")
    days: float = Field(gt=0, le=tokens.LONGEST_DAYS, description="for so many it is good")


class TokenRow(Row):
    id: str = Field(description="the beginning of the token")
    account: str
    name: str
    scopes: tuple[str, ...] = Field(description="what the account's role no longer may, the token may not either")
    created_at: float
    created_by: str
    expires_at: float
    revoked_at: float | None
    used_at: float | None = Field(description="last; to the minute")
    used_from: str = Field(description="address of that use")
    usable: bool

    @classmethod
    def of(cls, one: ApiToken, now: float) -> Self:
        return cls(**{name: getattr(one, name) for name in ApiToken.__slots__}, usable=one.usable(now))


class TokenList(Row):
    tokens: list[TokenRow] = Field(description="the one made last first; for 30 days after their end")
    next: str = Field(description="cursor of the next page; empty on the last one")


class TokenMade(Row):
    made: TokenRow
    token: str = Field(description="for `Authorization: Bearer`; it is told only here and now")


@blueprint.get("/tokens")
@blueprint.input(Filter, location="query", arg_name="wanted")
@blueprint.output(TokenList)
@blueprint.doc(summary="API tokens")
@requires(Permission.SELF)
def listing(wanted: Filter) -> TokenList:
    me, now = signed_in(), time.time()
    whose = wanted.account or me.name
    if whose != me.name and not may(me, Permission.TOKENS):
        raise Forbidden(phrase("Only admins see the tokens of others."))
    try:
        page = services().store.tokens(
            None if whose == EVERYBODY else whose, now=now, limit=wanted.limit, cursor=wanted.cursor
        )
    except BadCursor as error:
        raise BadValue(str(error)) from None
    return TokenList(tokens=[TokenRow.of(one, now) for one in page.tokens], next=page.cursor)


@blueprint.post("/tokens")
@blueprint.input(TokenWish, location="json", arg_name="wish")
@blueprint.output(TokenMade, status_code=201)
@blueprint.doc(
    summary="A new API token of one's own",
    description="The answer alone has the token. 403 `session_needed`: a token makes no tokens.",
    responses={422: "A value is not acceptable"},
)
@requires(Permission.SELF)
def add(wish: TokenWish) -> tuple[TokenMade, int]:
    me, now = signed_in(), time.time()
    made, text = issue(me, wish.name, [str(scope) for scope in wish.scopes], wish.days, now)
    return TokenMade(made=TokenRow.of(made, now), token=text), 201


@blueprint.delete("/tokens/<id>")
@blueprint.output(TokenRow)
@blueprint.doc(
    summary="Revoke an API token",
    description="It ends at once. Admins may revoke everybody's. A token may revoke itself and no other.",
    responses={404: "No such token, or it has ended"},
)
@requires(Permission.SELF)
def remove(id: str) -> TokenRow:
    return TokenRow.of(revoke(signed_in(), id), time.time())


def issue(me: SignedIn, name: str, scopes: list[str], days: float, now: float) -> tuple[ApiToken, str]:
    """Of one's own. Raises BadValue, SessionNeeded."""
    if me.grant is not None:
        raise SessionNeeded(phrase("A token makes no tokens."))
    try:
        return tokens.issue(services().store, me.user, name, scopes, days, me.name, now, address_of(request))
    except tokens.TokenRefused as refused:
        raise BadValue(str(refused)) from None


def revoke(me: SignedIn, id: str) -> ApiToken:
    """Raises NotFound, SessionNeeded."""
    if me.grant is not None and me.grant.id != id:
        raise SessionNeeded(phrase("A token revokes no other token."))
    whose = None if may(me, Permission.TOKENS) else me.name
    try:
        return tokens.revoke(services().store, id, me.name, time.time(), whose, address_of(request))
    except NoSuchToken as error:
        raise NotFound(str(error)) from None
