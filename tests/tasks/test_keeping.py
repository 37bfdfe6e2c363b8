import time
from pathlib import Path

import pytest

from contactcentre.archive import BadName, KeySource, Shelf
from contactcentre.domain.events import Event, Kind
from contactcentre.domain.site import Queue, Site
from contactcentre.store import OnHold, Store
from contactcentre.tasks.audio import NotReady
from contactcentre.tasks.keeping import STALE_SECONDS, Keeper
from contactcentre.tasks.pbx_files import LocalFiles, PbxAway
from tests.store.calls import DAY, Call, recorded_call
from tests.tasks.waves import channels, power, tone


class Facts:
    """Takes facts and, unlike the journal, writes them at once."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def append(self, event: Event) -> None:
        self.store.record([event])


@pytest.fixture
def keeper(store: Store, tmp_path: Path) -> Keeper:
    (tmp_path / "pbx").mkdir()
    return Keeper(
        store,
        Facts(store),
        Shelf(store, tmp_path / "recordings", KeySource(tmp_path / "keys")),
        LocalFiles(tmp_path / "pbx"),
    )


def ended(keeper: Keeper, recording: str = "r1", *sides: str, **facts: object) -> Call:
    """A recorded call in the history, and its files on the PBX."""
    call = recorded_call(recording, **facts)  # type: ignore[arg-type]
    keeper.store.record(call.events)
    for side in sides:
        tone(pbx(keeper) / f"{recording}-{side}.wav", {"left": 440, "right": 1000}[side], 2)
    return call


def pbx(keeper: Keeper) -> Path:
    return keeper.shelf.root.parent / "pbx"


def keep(keeper: Keeper, recording: str = "r1", last_try: bool = False) -> None:
    contact_id, found = keeper.store.recording(recording)
    keeper.store_recording(contact_id, found, last_try=last_try)


def test_a_recording_is_stored_with_all_that_proves_it_and_leaves_the_pbx(keeper: Keeper) -> None:
    ended(keeper, "r1", "left", "right")
    keep(keeper)
    _, found = keeper.store.recording("r1")
    assert (found.state, found.path, found.seconds, found.channels) == ("stored", "2026/11/23/r1.wav", 2.5, 2)
    path = keeper.shelf.path(found)
    assert path.stat().st_size == found.bytes
    assert path.stat().st_mode & 0o777 == 0o600
    assert {part.stat().st_mode & 0o777 for part in path.parents if part.is_relative_to(keeper.shelf.root)} == {0o700}
    left, right = channels(path)
    assert power(left[:16000], 440) > 0.95
    assert power(right[4000:], 1000) > 0.95
    assert list(pbx(keeper).iterdir()) == []


def test_doing_it_again_changes_nothing_wherever_the_first_try_died(keeper: Keeper) -> None:
    ended(keeper, "r1", "left", "right")
    facts = keeper.facts
    died = Keeper(keeper.store, Silent(), keeper.shelf, keeper.pbx)
    contact_id, found = keeper.store.recording("r1")
    died.store_recording(contact_id, found)  # the file is there, the originals are gone, and nobody was told
    assert keeper.store.recording("r1")[1].state == "ended"
    keep(keeper)
    once = keeper.store.recording("r1")[1]
    assert once.state == "stored"
    keep(keeper)
    assert keeper.store.recording("r1")[1] == once
    assert isinstance(facts, Facts)


class Silent:
    def append(self, event: Event) -> None:
        """Loses it, as a worker does that is killed before it could say anything."""


def test_files_that_are_not_there_yet_are_waited_for(keeper: Keeper) -> None:
    ended(keeper, "r1", "left")
    with pytest.raises(NotReady):
        keep(keeper)
    assert keeper.store.recording("r1")[1].state == "ended"


def test_on_the_last_try_one_side_is_better_than_none_and_what_is_missing_is_told(keeper: Keeper) -> None:
    ended(keeper, "r1", "right")
    keep(keeper, last_try=True)
    _, found = keeper.store.recording("r1")
    assert (found.state, found.channels) == ("stored", 2)
    assert "left side is missing" in found.error
    left, right = channels(keeper.shelf.path(found))
    assert not any(left)
    assert power(right[4000:], 1000) > 0.95


def test_a_file_name_from_a_fact_cannot_lead_out_of_the_directory(keeper: Keeper) -> None:
    ended(keeper, "../../etc/passwd")
    with pytest.raises(BadName):
        keep(keeper, "../../etc/passwd")


def test_without_the_pbxs_directory_the_reason_names_the_setting(keeper: Keeper) -> None:
    ended(keeper, "r1", "left", "right")
    contact_id, found = keeper.store.recording("r1")
    with pytest.raises(PbxAway, match="CONTACTCENTRE_PBX_RECORDINGS_DIR"):
        Keeper(keeper.store, keeper.facts, keeper.shelf, None).store_recording(contact_id, found)


def test_each_queues_recordings_are_deleted_when_their_days_are_over(keeper: Keeper) -> None:
    site = Site(
        queues={"short": Queue(retention_days=1), "long": Queue(retention_days=30), "ever": Queue(retention_days=0)}
    )
    for queue in site.queues:
        ended(keeper, f"r-{queue}", "left", "right", queue=queue)
        keep(keeper, f"r-{queue}")
    short = keeper.shelf.path(keeper.store.recording("r-short")[1])
    assert keeper.retire(site, DAY + 86400) == 0
    assert keeper.retire(site, DAY + 86400 + 5) == 1
    assert not short.exists()
    _, row = keeper.store.recording("r-short")
    assert (row.state, row.deleted_at, row.path) == ("deleted", DAY + 86405, "2026/11/23/r-short.wav")
    (entry,) = keeper.store.audit_entries(subject="r-short")
    assert (entry.actor, entry.action, entry.detail["reason"]) == ("worker", "recording.delete", "retention")
    assert keeper.retire(site, DAY + 40 * 86400) == 1
    assert keeper.store.recording("r-ever")[1].state == "stored"
    keep(keeper, "r-short")
    assert not short.exists()


def test_the_sweep_removes_only_our_files_and_only_those_of_no_more_use(keeper: Keeper) -> None:
    for recording in ("done", "waiting"):
        ended(keeper, recording, "left", "right")
    keep(keeper, "done")
    tone(pbx(keeper) / "done-left.wav", 440, 1)
    tone(pbx(keeper) / "done.wav", 440, 1)  # of somebody else
    tone(pbx(keeper) / "voicemail-of-the-boss.wav", 440, 1)
    assert keeper.sweep(time.time()) == 0
    assert keeper.sweep(time.time() + STALE_SECONDS + 1) == 1
    kept = sorted(path.name for path in pbx(keeper).iterdir())
    assert kept == ["done.wav", "voicemail-of-the-boss.wav", "waiting-left.wav", "waiting-right.wav"]


def test_a_voicemail_message_is_stored_with_one_channel(keeper: Keeper) -> None:
    call = Call().add(1, Kind.RECORDING_STARTED, recording="v1", agent="", queue="support")
    call.add(4, Kind.RECORDING_ENDED, recording="v1", files={"left": "v1"}, offsets={"left": 0.0})
    call.add(4, Kind.VOICEMAIL, recording="v1", box="support", seconds=3.0).ended(4, "voicemail")
    keeper.store.record(call.events)
    tone(pbx(keeper) / "v1.wav", 440, 3)
    keep(keeper, "v1")
    _, found = keeper.store.recording("v1")
    assert (found.state, found.kind, found.box, found.channels, found.seconds) == (
        "stored",
        "voicemail",
        "support",
        1,
        3.0,
    )
    assert keeper.store.history(call.id).voicemails[0].recording == "v1"


def test_what_is_on_legal_hold_outlives_its_retention_and_is_not_deleted_by_hand(keeper: Keeper) -> None:
    ended(keeper, "held", "left", "right")
    keep(keeper, "held")
    assert keeper.store.hold(["held"], "sue", "case 17") == 1
    assert keeper.store.hold(["held"], "sue", "again") == 0
    site = Site(queues={"support": Queue(retention_days=1)})
    assert keeper.retire(site, DAY + 400 * 86400) == 0
    contact_id, found = keeper.store.recording("held")
    with pytest.raises(OnHold, match="case 17"):
        keeper.delete(contact_id, found, "request", "admin", DAY)
    assert keeper.shelf.path(found).is_file()
    assert keeper.store.release(["held"], "sue", "closed") == 1
    assert keeper.retire(site, DAY + 400 * 86400) == 1
    actions = [entry.action for entry in keeper.store.audit_entries(subject="held")]
    assert actions == ["recording.delete", "recording.release", "recording.hold"]


def test_a_recording_that_is_erased_before_it_was_stored_leaves_nothing_on_the_pbx(keeper: Keeper) -> None:
    ended(keeper, "early", "left", "right")
    contact_id, found = keeper.store.recording("early")
    keeper.delete(contact_id, found, "request", "admin", DAY + 10)
    keep(keeper, "early")
    assert keeper.sweep(DAY + 10 + STALE_SECONDS + 1) == 2
    assert list(pbx(keeper).iterdir()) == []
    assert keeper.store.recording("early")[1].state == "deleted"
