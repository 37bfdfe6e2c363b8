"""`contactcentre lab ...` as its users run it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contactcentre.domain.site import Agent, Site
from contactcentre.embedded import Services
from contactcentre.lab import Lab, can_have_asterisk
from contactcentre.store import Store
from tests.lab.conftest import DIALPLAN, ENDPOINT, SECRET
from tests.waiting import eventually


def run(state: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "contactcentre", "lab", *arguments],
        env=os.environ | {"CONTACTCENTRE_STATE_DIR": str(state), **environment},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if reason := can_have_asterisk():
        pytest.skip(reason)
    state = tmp_path_factory.mktemp("cli")
    provisioned = Lab(state / "lab").directories.provisioned
    provisioned.mkdir(parents=True)
    (provisioned / "extensions.conf").write_text(DIALPLAN)
    (provisioned / "pjsip.conf").write_text(ENDPOINT.format(name="anna", secret=SECRET, codec="ulaw"))
    assert run(state, "start").returncode == 0
    yield state
    assert run(state, "stop").stdout == "stopped\n"
    assert run(state, "stop").stdout == "was not running\n"


def test_status_as_json_has_the_addresses_but_not_the_secret(state: Path) -> None:
    done = run(state, "status", "--json")
    told = json.loads(done.stdout)
    info = Lab(state / "lab").info()
    assert told["running"] is True
    assert (told["ari_url"], told["sip_port"], told["version"]) == (info.ari_url, info.sip_port, info.version)
    assert info.ari_secret not in done.stdout + run(state, "status").stdout


def test_a_call_is_told_in_words_and_as_json(state: Path) -> None:
    words = run(state, "call", "100", "--talk", "0.3")
    assert words.returncode == 0
    assert "called 100: served, answered after" in words.stdout
    pressed = run(state, "call", "101", "--digits", "4,2#", "--digit-pause", "0.3", "--json")
    assert json.loads(pressed.stdout)["outcome"] == "dropped"
    assert "PRESSED=42" in run(state, "logs").stdout
    assert run(state, "call", "99999").returncode == 1


def test_a_phone_registers_takes_a_call_and_ends(state: Path) -> None:
    environment = os.environ | {"CONTACTCENTRE_STATE_DIR": str(state), "CONTACTCENTRE_PHONE_SECRET": SECRET}
    command = [sys.executable, "-m", "contactcentre", "lab", "phone", "anna", "--ring", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as phone:
        assert phone.stdout is not None
        assert json.loads(phone.stdout.readline())["event"] == "registered"
        assert run(state, "call", "201", "--talk", "0.3").returncode == 0
        phone.send_signal(2)
        events = [json.loads(line)["event"] for line in phone.stdout]
    assert phone.returncode == 0
    assert events == ["incoming", "answered", "person", "ended", "unregistered"]
    eventually(lambda: "anna" not in run(state, "rx", "pjsip show contacts").stdout, "the phone has signed off")


def test_a_phone_dials_a_feature_code(state: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    done = run(state, "phone", "anna", "--secret-file", str(tmp_path / "secret"), "--dial", "*45")
    assert "anna called *45: dropped, answered" in done.stdout


def test_an_agent_of_the_site_needs_no_password_typed(state: Path, services: Services, database_url: str) -> None:
    databases = {"DATABASE_URL": database_url, "REDIS_URL": services.redis_url}
    with contextlib.closing(Store(database_url)) as store:
        store.migrate()
        store.save_site(Site(agents={"ann": Agent(endpoint="anna"), "zoe": Agent()}), "test", "agents")
        store.set_secret("agent/ann", SECRET)
    done = run(state, "phone", "ann", "--dial", "*45", **databases)
    assert "anna called *45: dropped, answered" in done.stdout
    for name in ("zoe", "nobody"):
        done = run(state, "phone", name, **databases)
        assert done.returncode == 2
        assert f"{name} is no agent of this site that has a password" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("call", "100", "--digits", "1;2"), "digits '1;2'"),
        (("call", "100", "--tone", "441"), "multiple of 50"),
    ],
)
def test_bad_input_is_named_with_exit_code_2(state: Path, arguments: tuple[str, ...], complaint: str) -> None:
    done = run(state, *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_what_a_caller_puts_into_its_name_cannot_move_the_terminals_cursor(state: Path) -> None:
    run(state, "call", "101", "--digits", "#", "--name", "\x1b[2Jgone", "--patience", "8")
    assert "\x1b" not in run(state, "logs").stdout


def test_without_a_lab_every_command_says_how_to_start_one(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, "status", "--json").stdout) == {"running": False}
    assert run(tmp_path, "status").returncode == 1
    done = run(tmp_path, "call", "100")
    assert done.returncode == 2
    assert "contactcentre lab start" in done.stderr


def test_the_consoles_answers_and_a_log_that_is_not_there_have_exit_codes(state: Path, tmp_path: Path) -> None:
    assert run(state, "rx", "core show version").returncode == 0
    assert run(state, "rx", "nonsense").returncode == 1
    done = run(tmp_path, "logs")
    assert done.returncode == 2
    assert "contactcentre lab start" in done.stderr
    assert "contactcentre lab start" in run(tmp_path, "phone", "anna").stderr
