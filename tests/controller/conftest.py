from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from contactcentre.domain.site import Site
from contactcentre.embedded import Services
from contactcentre.lab import FreeswitchLab, Lab
from contactcentre.live import connect
from contactcentre.settings import Settings
from contactcentre.store import Store
from tests.controller import world as worlds
from tests.controller.stack import Stack
from tests.controller.world import World, patch_constants
from tests.plugins.speech import Spoken

SITE = {
    "skills": {"billing": "invoices", "lang_fr": "French"},
    "agents": {
        "anna": {"full_name": "Anna", "number": "201", "skills": {"billing": 80, "lang_fr": 90}},
        "bert": {"full_name": "Bert", "number": "202", "skills": {"billing": 40}},
    },
    "queues": {
        "support": {
            "agents": ["anna", "bert"],
            "wrap_up": 0,
            "ring_seconds": 30,
            "retry_delay": 1,
            "music": "steady",
        },
        "french": {"requires": "lang_fr >= 50", "wrap_up": 2, "ring_seconds": 8, "retry_delay": 1, "record": False},
        "sales": {
            "agents": ["anna", "bert"],
            "wrap_up": 0,
            "ring_seconds": 30,
            "record": False,
            "auto_answer": True,
            "announce_to_agent": "please-wait",
            "announce_position": 30,
            "announce_first": 1,
            "prompts": ["all-busy"],
            "prompts_every": 5,
            "keys": {"1": "voicemail:support", "2": "queue:support"},
        },
        "all": {"agents": ["anna", "bert"], "strategy": "ringall", "wrap_up": 0, "ring_seconds": 60, "record": False},
        "short": {"agents": ["bert"], "max_wait": 2, "max_length": 1, "announce_position": 1, "wrap_up": 0},
    },
    "dids": {
        "1000": {"flow": "support", "fallback_queue": "support"},
        "1001": {"flow": "menu"},
        "1002": {"flow": "french"},
        "1003": {"flow": "short"},
        "1004": {"flow": "message"},
        "1005": {"flow": "direct"},
        "1006": {"flow": "all"},
        "1007": {"flow": "sales"},
    },
    "flows": {
        "support": {
            "start": "hello",
            "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "support"}},
        },
        "menu": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "ask"},
                "ask": {
                    "type": "menu",
                    "prompt": ["sound:demo-instruct"],
                    "timeout": 2,
                    "retries": 1,
                    "choices": {"1": "support", "2": "french"},
                    "on_timeout": "bye",
                    "on_invalid": "bye",
                },
                "support": {"type": "queue", "queue": "support"},
                "french": {"type": "queue", "queue": "french"},
                "bye": {"type": "hangup"},
            },
        },
        "french": {
            "start": "hello",
            "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "french"}},
        },
        "sales": {
            "start": "hello",
            "nodes": {"hello": {"type": "answer", "next": "wait"}, "wait": {"type": "queue", "queue": "sales"}},
        },
        "all": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "wait"},
                "wait": {"type": "queue", "queue": "all", "prefer_last_agent": True},
            },
        },
        "short": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "wait"},
                "wait": {"type": "queue", "queue": "short", "on_timeout": "message", "on_full": "message"},
                "message": {"type": "voicemail", "box": "short", "max_seconds": 5},
            },
        },
        "message": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "message"},
                "message": {"type": "voicemail", "box": "support", "max_seconds": 3, "next": "bye"},
                "bye": {"type": "hangup"},
            },
        },
        "direct": {
            "start": "hello",
            "nodes": {
                "hello": {"type": "answer", "next": "anna"},
                "anna": {"type": "transfer", "to": "agent:anna"},
            },
        },
    },
}


PBXS = {"asterisk": "lab", "freeswitch": "freeswitch_lab"}
"""The PBX -> the fixture that has one, or skips with the reason why there is none."""


@pytest.fixture(scope="module", params=PBXS)
def switch_lab(request: pytest.FixtureRequest) -> Any:
    """The PBX under the controller: a module's tests are served by both."""
    return request.getfixturevalue(PBXS[request.param])


@pytest.fixture(scope="module")
def module_stack(
    tmp_path_factory: pytest.TempPathFactory,
    services: Services,
    database_url: str,
    switch_lab: Lab | FreeswitchLab,
    spoken: Spoken,
) -> Iterator[Stack]:
    """One controller for a module's tests, with the site above."""
    state: Path = spoken(tmp_path_factory.mktemp("state"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTACTCENTRE_STATE_DIR", str(state))
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("REDIS_URL", services.redis_url)
        redis: Redis = connect(services.redis_url)
        redis.flushall()
        with Store(database_url) as store:
            store.migrate()
            stack = Stack(Settings().prepare(), switch_lab, store, redis)
            stack.provision(Site.model_validate(SITE))
            try:
                yield stack
            finally:
                stack.stop()


@pytest.fixture
def stack(module_stack: Stack) -> Iterator[Stack]:
    """One controller for a module's tests; each begins with nobody logged in and nobody on the line."""
    module_stack.ready()
    yield module_stack
    module_stack.lab.hang_up()  # whom a test that failed has left on the line
    assert "Traceback" not in module_stack.log(), module_stack.log()


@pytest.fixture(scope="module")
def shared_world(services: Services, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, Store(database_url) as store:
        store.migrate()
        patch_constants(patch)
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("REDIS_URL", services.redis_url)
        made = World(tmp_path_factory.mktemp("state"), services, database_url)
        made.redis.flushall()
        made.start()
        yield made
        made.kill()


@pytest.fixture
def patient_world(shared_world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The same, where phones ring for long."""
    monkeypatch.setattr(worlds, "RING", 60.0)
    shared_world.begin()
    return shared_world


@pytest.fixture
def world(shared_world: World) -> World:
    """A controller on a PBX in memory; both agents are logged in."""
    shared_world.begin()
    return shared_world
