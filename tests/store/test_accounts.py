import threading

import pytest

from contactcentre.store import NameTaken, NoSuchUser, Store


def test_a_user_is_made_found_changed_and_removed(store: Store) -> None:
    made = store.add_user("ada", "hash", "supervisor")
    assert store.user_named("ada") == store.user(made.id) == made
    changed = store.change_user("ada", role="admin", disabled=True)
    assert (changed.role, changed.disabled, changed.password_hash) == ("admin", True, "hash")
    assert store.change_user("ada") == changed
    assert store.users() == [changed]
    store.remove_user("ada")
    assert store.user_named("ada") is None


def test_a_name_can_be_taken_once_and_a_role_must_exist(store: Store) -> None:
    store.add_user("ada", "hash", "agent")
    with pytest.raises(NameTaken, match="ada"):
        store.add_user("ada", "other", "admin")
    with pytest.raises(ValueError, match="root"):
        store.add_user("bob", "hash", "root")
    with pytest.raises(NoSuchUser):
        store.change_user("bob", role="admin")
    with pytest.raises(NoSuchUser):
        store.remove_user("bob")


def test_a_one_time_link_is_good_once_however_many_try_at_once(store: Store) -> None:
    store.add_link("h", purpose="first-admin", role="admin", expires_at=100.0)
    taken = []
    threads = [threading.Thread(target=lambda: taken.append(store.use_link("h", 50.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(link is not None for link in taken) == 1
    assert store.link("h", 60.0) is None


def test_a_link_that_has_expired_or_was_withdrawn_is_good_for_nothing(store: Store) -> None:
    store.add_link("h", purpose="first-admin", role="admin", expires_at=100.0)
    assert store.link("h", 99.0) is not None
    assert store.use_link("h", 100.0) is None
    assert store.drop_links(purpose="first-admin") == 1
    assert store.link("h", 50.0) is None


def test_audit_entries_are_found_by_who_what_and_page(store: Store) -> None:
    for n in range(5):
        store.audit("ada", "queue.change", f"q{n}", {"n": n, "text": "a\0b"}, "127.0.0.1")
    store.audit("bob", "recording.export", "r1")
    assert store.audit_entries(actor="bob")[0].subject == "r1"
    page = store.audit_entries(actor="ada", limit=2)
    assert [entry.detail["n"] for entry in page] == [4, 3]
    assert [entry.detail["n"] for entry in store.audit_entries(actor="ada", before=page[-1].id)][:3] == [2, 1, 0]
    assert page[0].detail["text"] == "a\ufffdb"
