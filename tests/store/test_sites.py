import threading

import pytest

from contactcentre.domain.site import Agent, Queue, Site
from contactcentre.store import NoSuchVersion, SiteChanged, Store


def site(*queues: str) -> Site:
    return Site(queues={queue: Queue() for queue in queues}, agents={"zoe": Agent(), "al": Agent()})


def test_every_saved_site_is_a_version_that_can_be_read_again_in_its_order(store: Store) -> None:
    first = store.save_site(site("zulu", "alpha"), "ada", "first")
    second = store.save_site(site("zulu", "alpha", "mike"), "bob", "more")
    number, newest = store.site()
    assert number == second
    assert newest is not None
    assert list(newest.queues) == ["zulu", "alpha", "mike"]
    assert store.site(first)[1] == site("zulu", "alpha")
    assert [(v.id, v.by, v.comment) for v in store.site_versions(2)] == [
        (second, "bob", "more"),
        (first, "ada", "first"),
    ]
    with pytest.raises(NoSuchVersion):
        store.site(second + 1)


def test_of_two_people_who_change_the_same_version_one_is_told(store: Store) -> None:
    number = store.save_site(site("a"), "ada")
    outcomes: list[str] = []

    def save(queue: str) -> None:
        try:
            store.save_site(site("a", queue), "x", expected=number)
            outcomes.append("saved")
        except SiteChanged:
            outcomes.append("told")

    threads = [threading.Thread(target=save, args=(queue,)) for queue in "bcde"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["saved", "told", "told", "told"]


def test_a_secret_is_kept_replaced_listed_by_its_beginning_and_removed(store: Store) -> None:
    store.set_secret("agent/ada", "one")
    store.set_secret("agent/ada", "two")
    store.set_secret("agent_x", "no agent")
    assert store.secret("agent/ada") == "two"
    assert store.secrets("agent/") == {"agent/ada": "two"}
    assert store.remove_secret("agent/ada")
    assert not store.remove_secret("agent/ada")
    assert store.secret("agent/ada") is None
