"""Messages in boxes: what history has of them, and who looks after them."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from contactcentre.domain.voicemail import Message, MessageState, Step, step
from contactcentre.store.database import Database
from contactcentre.store.history import MAX_PAGE
from contactcentre.store.tables import audit, box_message, contact, recording, voicemail

TRIES = 5


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


@dataclass(frozen=True, slots=True)
class BoxCount:
    """What waits in a box."""

    new: int = 0
    claimed: int = 0
    oldest: float | None = None  # when the oldest came that nobody looks after


class Boxes(Database):
    def messages(
        self, boxes: tuple[str, ...] | None = None, state: str = "", limit: int = 100, only: str = ""
    ) -> list[BoxMessage]:
        """Messages whose sound was not deleted: those to look after, the oldest first, then those that are done, the
        latest first. `boxes` None: of all; `only`: the one with this id."""
        known, told = box_message.c, voicemail.c
        box = sa.func.coalesce(known.box, told.box)
        status = sa.func.coalesce(known.state, MessageState.NEW.value)
        statement = (
            sa.select(
                told.recording,
                box.label("box"),
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
            .select_from(voicemail)
            .join(recording, recording.c.id == told.recording)
            .join(contact, contact.c.id == told.contact_id)
            .outerjoin(box_message, known.recording == told.recording)
            .where(recording.c.deleted_at.is_(None))
            .order_by(
                status == MessageState.DONE.value, sa.case((status == MessageState.DONE.value, None), else_=told.at)
            )
            .order_by(told.at.desc())
            .limit(max(1, min(limit, MAX_PAGE)))
        )
        if boxes is not None:
            statement = statement.where(box.in_(boxes))
        if state:
            statement = statement.where(status == state)
        if only:
            statement = statement.where(told.recording.startswith(only, autoescape=True))
        with self._begin() as connection:
            return [_message(row) for row in connection.execute(statement).mappings()]

    def message(self, id: str) -> BoxMessage:
        """By its recording's id, or the beginning of one. Raises NoSuchMessage."""
        found = self.messages(only=id, limit=2) if id else []
        if len(found) != 1:
            many = "several messages begin" if found else "no message begins"
            raise NoSuchMessage(f"{many} with {id[:60]!r} (`contactcentre voicemail list` shows them)")
        return found[0]

    def take_step(
        self, id: str, verb: Step, by: str, at: float, *, to: str = "", note: str = "", over_others: bool = False
    ) -> BoxMessage:
        """One step of `domain.voicemail`, and its line in the audit log: both or none. Two who claim at once: one gets
        NotPossible. Raises NoSuchMessage, NotPossible, ValueError, Taken."""
        for _ in range(TRIES):
            found = self.message(id)
            after = step(found.message, verb, by, at, to=to, note=note, over_others=over_others)
            if self._swap(found.message, after, verb, by, note):
                return self.message(after.recording)
        raise Taken(f"message {id}: others keep changing it")

    def _swap(self, before: Message, after: Message, verb: Step, by: str, note: str) -> bool:
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
            action = f"voicemail.{verb.value}"
            connection.execute(
                sa.insert(audit).values(actor=by, action=action, subject=after.recording, detail=detail, address="")
            )
            return True

    def boxes(self, at: float) -> dict[str, BoxCount]:
        """Every box with messages that are not done, by name."""
        counts: dict[str, BoxCount] = {}
        for one in self.messages(limit=MAX_PAGE):
            if one.message.state is MessageState.DONE:
                break
            count, free = counts.get(one.message.box, BoxCount()), one.message.is_free(at)
            oldest = min(count.oldest or one.at, one.at) if free else count.oldest
            counts[one.message.box] = BoxCount(count.new + free, count.claimed + (not free), oldest)
        return counts


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
