"""Whoever is alone is sent silence, and nobody who is not: else they would hear nobody."""

from hypothesis import given
from hypothesis import strategies as st

from contactcentre.pbx.asterisk.company import ALONE, Company

CHANNELS, BRIDGES = ["a", "b", "c"], ["x", "y", "waiting-music-1"]

moves = st.tuples(st.just("move"), st.sampled_from(CHANNELS), st.sampled_from(BRIDGES))
others = st.tuples(st.sampled_from(["leave", "end", "play"]), st.sampled_from(CHANNELS), st.just(""))
bridges = st.tuples(st.just("destroy"), st.just(""), st.sampled_from(BRIDGES[:2]))
looks = st.tuples(st.just("look"), st.just(""), st.just(""))


class Switch:
    """What Asterisk does: who is where, and who is sent silence."""

    def __init__(self) -> None:
        self.where: dict[str, str] = {}
        self.silent: set[str] = set()
        self.company = Company(self.request, self.request, lambda _: None)

    def request(self, method: str, path: str) -> None:
        channel_id = path.split("/")[1]
        if method == "POST":
            self.silent.add(channel_id)
        else:
            self.silent.discard(channel_id)

    def move(self, channel_id: str, bridge_id: str, now: float) -> None:
        """While the PBX does it, and until it has said so, there may be a look."""
        with self.company.moving([channel_id], bridge_id):
            self.company.look(now, ())
            self.where[channel_id] = bridge_id
            self.company.look(now, ())
            self.company.joined(bridge_id, [channel_id], now)

    def leave(self, channel_id: str, now: float) -> None:
        with self.company.moving([channel_id], ""):
            self.company.look(now, ())
            self.where.pop(channel_id, None)
            self.company.left(channel_id, now)

    def end(self, channel_id: str, now: float) -> None:
        self.where.pop(channel_id, None)
        self.silent.discard(channel_id)
        self.company.ended(channel_id, now)

    def destroy(self, bridge_id: str, now: float) -> None:
        self.company.dissolved(bridge_id, now)
        self.where = {channel: bridge for channel, bridge in self.where.items() if bridge != bridge_id}

    def alone(self) -> set[str]:
        places = list(self.where.values())
        return {c for c, place in self.where.items() if place in BRIDGES[:2] and places.count(place) == 1}


@given(st.lists(st.one_of(moves, others, bridges, looks), max_size=30))
def test_silence_is_sent_to_those_who_are_alone_and_ends_before_anybody_joins(
    history: list[tuple[str, str, str]],
) -> None:
    switch, now = Switch(), 0.0
    for what, channel_id, bridge_id in history:
        now += ALONE
        if what == "move":
            switch.move(channel_id, bridge_id, now)
        elif what == "leave":
            switch.leave(channel_id, now)
        elif what == "end":
            switch.end(channel_id, now)
        elif what == "play":
            switch.company.break_silence([channel_id])
            assert channel_id not in switch.silent
        elif what == "destroy":
            switch.destroy(bridge_id, now)
        else:
            switch.company.look(now, ())
        in_company = set(switch.where) - switch.alone()
        assert switch.silent.isdisjoint(in_company)
    switch.company.look(now + ALONE, ())
    assert switch.alone() <= switch.silent


def test_who_is_alone_for_a_moment_only_or_played_to_is_left_in_peace() -> None:
    switch = Switch()
    switch.move("a", "x", 1.0)
    switch.company.look(1.0 + ALONE / 2, ())
    assert switch.silent == set()
    switch.company.look(1.0 + ALONE, {"a"})
    assert switch.silent == set()
    switch.company.look(1.0 + ALONE, ())
    assert switch.silent == {"a"}


def test_who_hears_ringing_is_not_silenced_until_it_ends() -> None:
    switch = Switch()
    switch.move("a", "x", 1.0)
    switch.company.look(1.0 + ALONE, ())
    switch.company.ringing("a")
    assert switch.silent == set()
    switch.company.look(9.0, ())
    assert switch.silent == set()
    switch.company.rang("a")
    switch.company.look(9.0, ())
    assert switch.silent == {"a"}


def test_what_an_earlier_controller_began_is_ended_before_a_recovered_channel_is_moved() -> None:
    switch = Switch()
    switch.silent.add("a")
    switch.company.unsure("a")
    switch.move("a", "x", 1.0)
    assert switch.silent == set()


def test_what_took_a_phones_place_is_company() -> None:
    switch = Switch()
    switch.move("a", "x", 1.0)
    switch.move("b", "x", 1.0)
    switch.company.replaced("b", "stand-in", 2.0)
    switch.company.ended("b", 2.0)
    switch.company.look(9.0, ())
    assert switch.silent == set()
