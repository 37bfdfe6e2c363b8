"""Messages in boxes: what history has of them, and who looks after them."""

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from contactcentre.domain.voicemail import CLAIM_SECONDS, BoxCount, Message, MessageState, Step, step
from contactcentre.store.database import Database
from contactcentre.store.history import MAX_PAGE
from contactcentre.store.paging import cursor_at, position
from contactcentre.store.tables import audit, box_message, contact, recording, voicemail

TRIES = 5

# A message without a row of its own in `box_message` is new, and where the caller left it.
everything = voicemail.join(recording, recording.c.id == voicemail.c.recording).outerjoin(
    box_message, box_message.c.recording == voicemail.c.recording
)
in_box = sa.func.coalesce(box_message.c.box, voicemail.c.box)
status = sa.func.coalesce(box_message.c.state, MessageState.NEW.value)
is_done = status == MessageState.DONE.value
DONE_BEFORE = "done-"
"""How the cursor of a message begins that was done when it was listed."""


def cursor_of(one: "BoxMessage") -> str:
    """After this message. It says which half of the list the message was in: it may be in the other when it is used."""
    done = one.message.state is MessageState.DONE
    return f"{DONE_BEFORE if done else ''}{cursor_at(one.at, one.id)}"


class NoSuchMessage(Exception):
    """There is no message with this id, or its recording was deleted."""


class Taken(Exception):
    """Somebody else was faster, again and again."""


@dataclass(frozen=True, slots=True)
class BoxMessage:
    """A message with what is known of its caller. Times are epoch seconds."""

    message: Message
    contact_id: str
    at: float
    seconds: float
    caller: str
    caller_name: str
    audio: bool  # it can be heard now

    @property
    def id(self) -> str:
        return self.message.recording


class Boxes(Database):
    def messages(
        self,
        boxes: Collection[str] | None = None,
        state: str = "",
        limit: int = 100,
        only: str = "",
        cursor: str = "",
    ) -> list[BoxMessage]:
        """Messages whose sound was not deleted: those to look after, the oldest first, then those that are done, the
        latest first. `boxes` None: of all; `only`: the one with this id. `cursor`: those
        after the message of which this is the `cursor`. Raises BadCursor."""
        known, told = box_message.c, voicemail.c
        statement = (
            sa.select(
                told.recording,
                in_box.label("box"),
                status.label("state"),
                sa.func.coalesce(known.owner, "").label("owner"),
                sa.func.coalesce(sa.func.extract("epoch", known.since), 0.0).label("since"),
                sa.func.coalesce(known.note, "").label("note"),
                sa.func.coalesce(known.version, 0).label("version"),
                told.contact_id,
                told.at,
                told.seconds,
                contact.c.caller,
                contact.c.caller_name,
                recording.c.stored_at.is_not(None).label("audio"),
            )
            .select_from(everything.join(contact, contact.c.id == told.contact_id))
            .where(recording.c.deleted_at.is_(None))
            .order_by(is_done, sa.case((is_done, None), else_=told.at))
            .order_by(told.at.desc(), told.recording)
            .limit(max(1, min(limit, MAX_PAGE)))
        )
        if boxes is not None:
            statement = statement.where(in_box.in_(boxes))
        if state:
            statement = statement.where(status == state)
        if cursor:
            at, id = position(cursor.removeprefix(DONE_BEFORE), told.at, told.recording)
            if cursor.startswith(DONE_BEFORE):
                statement = statement.where(is_done, (told.at < at) | ((told.at == at) & (told.recording > id)))
            else:
                earlier = sa.tuple_(told.at, told.recording) <= sa.tuple_(at, id)
                statement = statement.where(is_done | sa.not_(earlier))
        if only:
            statement = statement.where(told.recording.startswith(only, autoescape=True))
        with self._begin() as connection:
            return [_message(row) for row in connection.execute(statement).mappings()]

    def message(self, id: str, boxes: Collection[str] | None = None) -> BoxMessage:
        """By its recording's id, or the beginning of one, in one of `boxes` (None: in any). Raises NoSuchMessage."""
        found = self.messages(boxes, only=id, limit=2) if id else []
        if len(found) != 1:
            many = "several messages begin" if found else "no message begins"
            raise NoSuchMessage(f"{many} with {id[:60]!r} (`contactcentre voicemail list` shows them)")
        return found[0]

    def take_step(
        self,
        id: str,
        verb: Step,
        by: str,
        at: float,
        *,
        to: str = "",
        note: str = "",
        over_others: bool = False,
        actor: str = "",
        boxes: Collection[str] | None = None,
    ) -> BoxMessage:
        """One step of `domain.voicemail`, and its line in the audit log: both or none. Two who claim at once: one gets
        NotPossible. `actor`: who does it on `by`'s behalf, or by which account; for the audit log. `boxes`: the only
        ones in which the message may lie. Raises NoSuchMessage, NotPossible, ValueError, Taken."""
        for _ in range(TRIES):
            found = self.message(id, boxes)
            after = step(found.message, verb, by, at, to=to, note=note, over_others=over_others)
            if self._swap(found.message, after, verb, by, note, actor or by):
                return self.message(after.recording)
        raise Taken(f"message {id}: others keep changing it")

    def _swap(self, before: Message, after: Message, verb: Step, by: str, note: str, actor: str) -> bool:
        row = {
            "recording": after.recording,
            "box": after.box,
            "state": after.state.value,
            "owner": after.owner,
            "since": after.since,
            "note": after.note,
            "version": after.version,
        }
        with self._begin() as connection:
            if before.version:
                changes = {name: value for name, value in row.items() if name != "recording"}
                own = (box_message.c.recording == before.recording) & (box_message.c.version == before.version)
                change: sa.Update | Insert = sa.update(box_message).where(own).values(changes)
            else:
                change = insert(box_message).values(row).on_conflict_do_nothing()
            if connection.scalar(change.returning(box_message.c.recording)) is None:
                return False
            detail = {"box": before.box, "note": note} | ({"to": after.box} if after.box != before.box else {})
            detail |= {"by": by} if by != actor else {}
            action = f"voicemail.{verb.value}"
            connection.execute(
                sa.insert(audit).values(actor=actor, action=action, subject=after.recording, detail=detail, address="")
            )
            return True

    def boxes(self, at: float, only: Collection[str] | None = None) -> dict[str, BoxCount]:
        """Every box (of `only`) with messages that are not done, by name. `at` (epoch seconds) says which claims have
        run out."""
        free = (status == MessageState.NEW.value) | (box_message.c.since <= at - CLAIM_SECONDS)
        statement = (
            sa.select(
                in_box,
                sa.func.count().filter(free),
                sa.func.count().filter(sa.not_(free)),
                sa.func.min(voicemail.c.at).filter(free),
            )
            .select_from(everything)
            .where(recording.c.deleted_at.is_(None), sa.not_(is_done))
            .group_by(in_box)
        )
        if only is not None:
            statement = statement.where(in_box.in_(only))
        with self._begin() as connection:
            return {box: BoxCount(new, claimed, oldest) for box, new, claimed, oldest in connection.execute(statement)}


def _message(row: sa.RowMapping) -> BoxMessage:
    message = Message(
        row["recording"],
        row["box"],
        MessageState(row["state"]),
        row["owner"],
        float(row["since"]),
        row["note"],
        row["version"],
    )
    return BoxMessage(
        message, str(row["contact_id"]), row["at"], row["seconds"], row["caller"], row["caller_name"], row["audio"]
    )
