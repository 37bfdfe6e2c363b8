"""Plan and apply on a real Asterisk: all or nothing, whatever goes wrong."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import gevent
import pytest

from contactcentre.domain.strategies import STRATEGIES
from contactcentre.provision import (
    ApplyFailed,
    AsteriskTarget,
    SiteError,
    StalePlan,
    apply,
    make_plan,
    parse,
    plan_removal,
    recover,
    unsettled,
    verify,
)
from contactcentre.provision.backup import KEPT
from contactcentre.provision.plan import Check
from contactcentre.provision.render import Outbound
from contactcentre.provision.secrets import BadSecret
from tests.provision.conftest import Pbx
from tests.provision.sites import document


def test_a_plan_changes_nothing_and_shows_no_secret(pbx: Pbx) -> None:
    before = pbx.files()
    plan = pbx.plan(parse(document()))
    assert pbx.files() == before
    assert pbx.secrets == {}
    assert "+exten = +33155500001,1,NoOp(DID for flow main)" in plan.diff()
    assert "+password = ******** (new)" in plan.diff()
    assert not any(secret in plan.diff() for secret in plan.new_secrets.values())


def test_after_an_apply_the_pbx_has_endpoints_dids_and_queues_and_the_next_plan_is_empty(pbx: Pbx) -> None:
    site = parse(document())
    done = pbx.apply(pbx.plan(site))
    assert done.version == 1
    assert done.checked >= 8
    assert "Endpoint:  alice" in pbx.lab.rx("pjsip show endpoint alice")
    assert "Stasis(contactcentre,did,+33155500001,speaks:${CHANNEL(audionativeformat)})" in pbx.lab.rx(
        "dialplan show +33155500001@contactcentre-in"
    )
    assert "bob (PJSIP/bob) with penalty 1" in pbx.lab.rx("queue show contactcentre-support")
    assert len(pbx.secrets["agent/alice"]) >= 24
    again = pbx.plan(site)
    assert again.empty
    assert again.diff() == ""


def test_a_change_reloads_only_what_it_touches(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    plan = pbx.plan(parse(document(queues__sales__wrap_up=30)))
    assert [change.name for change in plan.files] == ["contactcentre/queues.conf"]
    assert plan.reloads == ("queue reload all",)


def test_a_trunk_that_is_new_or_was_changed_is_asked_at_once_whether_it_is_there(pbx: Pbx) -> None:
    """Not within the minute in which Asterisk would do so by itself. This PBX answers itself."""
    here = {"host": "127.0.0.1", "port": pbx.lab.info().sip_port, "match": ["127.0.0.9"]}
    pbx.apply(pbx.plan(parse(document(trunks__own=here))))
    _is_there(pbx, "own")
    plan = pbx.plan(parse(document(trunks__own={**here, "codecs": ["alaw"]})))
    assert plan.reloads == ("module reload res_pjsip.so", "pjsip qualify own"), "the others have not changed"
    pbx.apply(plan)
    _is_there(pbx, "own")


def _is_there(pbx: Pbx, trunk: str) -> None:
    with gevent.Timeout(30, AssertionError(f"trunk {trunk} is not known to be there")):
        while "Avail" not in pbx.lab.rx(f"pjsip show aor {trunk}"):
            gevent.sleep(0.05)


def test_a_change_that_no_file_shows_is_in_the_plan_and_needs_no_pbx(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    plan = pbx.plan(parse(document(queues__sales__service_level=10)))
    assert plan.files == ()
    assert "+    service_level: 10.0" in plan.diff()
    assert pbx.apply(plan, target=AsteriskTarget(pbx.target.etc_dir, _dead)).version == 2


def test_what_leaves_the_site_leaves_the_pbx(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    smaller = document()
    del smaller["agents"]["alice"], smaller["dids"]["+33155500001"]
    pbx.apply(pbx.plan(parse(smaller)))
    assert "Unable to find object alice" in pbx.lab.rx("pjsip show endpoint alice")
    assert "no existence" in pbx.lab.rx("dialplan show +33155500001@contactcentre-in")


def test_a_removal_leaves_the_files_byte_for_byte_as_before_the_first_apply(pbx: Pbx) -> None:
    main = pbx.target.etc_dir / "queues.conf"
    without = main.read_text().replace("#tryinclude contactcentre/queues.conf\n", "")
    try:
        main.write_text(without)
        before = pbx.files()
        pbx.apply(pbx.plan(parse(document())))
        assert main.read_text() != without
        pbx.apply(plan_removal(pbx.target, pbx.current))
        after = pbx.files()
        assert after["queues.conf"] == before["queues.conf"]
        assert not [name for name in after if name.startswith("contactcentre/")]
    finally:
        main.write_text(without + "#tryinclude contactcentre/queues.conf\n")


def test_written_files_are_for_the_pbx_alone(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    ours = pbx.target.ours
    for path in [*ours.glob("*.conf"), *ours.glob(".backup/*/*"), ours / ".backup"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0, path


def test_a_plan_that_is_no_longer_true_is_refused(pbx: Pbx) -> None:
    plan = pbx.plan(parse(document()))
    pbx.apply(pbx.plan(parse(document(agents__carol={}))))
    with pytest.raises(StalePlan, match="changed after the plan was made"):
        pbx.apply(plan)


def test_a_check_that_fails_brings_every_file_and_the_running_pbx_back(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    before = pbx.files()
    broken = document(music__jazz={"directory": "/nowhere/at/all"}, queues__sales__music="jazz", agents__carol={})
    with pytest.raises(ApplyFailed, match=r"music jazz has sound files.*Undone") as caught:
        pbx.apply(pbx.plan(parse(broken)))
    assert caught.value.restored
    assert pbx.files() == before
    assert unsettled(pbx.target) is None
    assert "Unable to find object carol" in pbx.lab.rx("pjsip show endpoint carol")
    assert "Endpoint:  alice" in pbx.lab.rx("pjsip show endpoint alice")
    assert len(pbx.versions) == 1


def test_a_broken_reload_is_undone(pbx: Pbx) -> None:
    before = pbx.files()
    plan = pbx.plan(parse(document()))
    broken = replace(plan, reloads=(*plan.reloads, "dialplan rebuild everything"))
    with pytest.raises(ApplyFailed, match="No such command"):
        pbx.apply(broken)
    assert {k: v for k, v in pbx.files().items() if k in before} == before
    assert "Unable to find object alice" in pbx.lab.rx("pjsip show endpoint alice")


def test_a_pbx_that_dies_while_it_reloads_is_told_and_settled_later(pbx: Pbx) -> None:
    before = pbx.files()
    asked: list[str] = []

    def dying(command: str) -> str:
        asked.append(command)
        return pbx.lab.rx(command) if len(asked) < 3 else _dead(command)

    with pytest.raises(ApplyFailed, match="did not reload") as caught:
        pbx.apply(pbx.plan(parse(document())), target=AsteriskTarget(pbx.target.etc_dir, dying))
    assert not caught.value.restored
    assert {k: v for k, v in pbx.files().items() if k in before} == before
    assert "as it was before" in recover(pbx.target, pbx.current, pbx.record)
    assert unsettled(pbx.target) is None
    assert recover(pbx.target, pbx.current, pbx.record) == ""


@pytest.mark.parametrize("moment", ["files", "reload", "verified"])
def test_an_apply_that_is_killed_at_any_moment_is_settled_by_the_next(pbx: Pbx, moment: str, tmp_path: Path) -> None:
    pbx.apply(pbx.plan(parse(document())))
    before = pbx.files()
    killed = _apply_and_die(pbx, moment, tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert unsettled(pbx.target) is not None
    with pytest.raises(StalePlan, match="cut short"):
        pbx.apply(pbx.plan(parse(document(agents__dave={}))))
    told = recover(pbx.target, pbx.current, pbx.record)
    if moment == "verified":
        assert "recorded it" in told
        assert "carol" in pbx.current.agents
        assert "Endpoint:  carol" in pbx.lab.rx("pjsip show endpoint carol")
        pbx.secrets["agent/carol"] = "a-secret-of-carol"
        assert pbx.plan(pbx.current).empty
    else:
        assert "as it was before" in told
        assert pbx.files() == before
        assert "Unable to find object carol" in pbx.lab.rx("pjsip show endpoint carol")


def test_old_backups_are_removed(pbx: Pbx) -> None:
    for number in range(KEPT + 3):
        pbx.apply(pbx.plan(parse(document(queues__sales__wrap_up=number))))
    assert len(list((pbx.target.ours / ".backup").iterdir())) == KEPT


def test_names_of_the_pbx_itself_are_not_taken(pbx: Pbx) -> None:
    with pytest.raises(SiteError, match=r"agents.lab: lab is defined in the PBX's own pjsip.conf:"):
        pbx.plan(parse(document(agents__lab={})))
    with pytest.raises(SiteError, match=r"trunks.lab: lab is defined"):
        pbx.plan(parse(document(trunks__lab={"host": "127.0.0.9"})))
    with pytest.raises(SiteError, match=r"music.default: default is defined"):
        pbx.plan(parse(document(music__default={"directory": "/x"})))
    with pytest.raises(SiteError, match="there is no music class jazz"):
        pbx.plan(parse(document(queues__sales__music="jazz")))


def test_an_endpoint_that_the_pbx_has_already_is_used_as_it_is(pbx: Pbx) -> None:
    plan = pbx.plan(parse(document(agents__carol={"endpoint": "lab", "number": "103"})))
    assert any("endpoint lab is the PBX's own" in note for note in plan.notes)
    assert "agent/carol" not in plan.new_secrets
    pbx.apply(plan)
    assert "Dial(PJSIP/lab,30)" in pbx.lab.rx("dialplan show 103@contactcentre-agents")
    assert "context                            : from-lab" in pbx.lab.rx("pjsip show endpoint lab")


def test_an_ari_user_of_the_pbx_itself_is_left_alone_and_a_missing_one_is_made(pbx: Pbx, tmp_path: Path) -> None:
    assert "contactcentre/ari.conf" not in {change.name for change in pbx.plan(parse(document())).files}
    bare = AsteriskTarget(tmp_path, _dead)
    plan = make_plan(parse(document()), bare, {})
    made = {change.name: change.new or "" for change in plan.files}
    assert f"password = {plan.new_secrets['ari/contactcentre']}\n" in made["contactcentre/ari.conf"]
    assert made["ari.conf"].endswith("#tryinclude contactcentre/ari.conf\n")


def test_the_pbx_connects_to_the_controller_where_it_is_told_to_and_no_more_when_not(pbx: Pbx) -> None:
    assert isinstance(pbx.target, AsteriskTarget)
    info = pbx.lab.info()
    outbound = Outbound("ws://127.0.0.1:1", info.ari_user, info.ari_secret)
    there = replace(pbx.target, outbound=outbound)
    plan = make_plan(parse(document()), there, pbx.secrets, pbx.current)
    assert info.ari_secret not in plan.diff()
    assert {"contactcentre/websocket_client.conf", "contactcentre/ari.conf"} <= {change.name for change in plan.files}
    pbx.apply(plan, target=there)
    with gevent.Timeout(30, AssertionError("the application is not there before somebody listens")):
        while "contactcentre" not in pbx.lab.rx("ari show apps"):
            gevent.sleep(0.05)
    assert make_plan(parse(document()), there, pbx.secrets, pbx.current).empty
    pbx.apply(pbx.plan(parse(document())))
    with gevent.Timeout(30, AssertionError("the application stays")):
        while "contactcentre" in pbx.lab.rx("ari show apps"):
            gevent.sleep(0.05)
    assert not {"contactcentre/ari.conf", "contactcentre/websocket_client.conf"} & pbx.files().keys()


def test_a_password_that_the_pbx_shows_us_must_be_known(tmp_path: Path) -> None:
    target = AsteriskTarget(tmp_path, _dead, Outbound("ws://127.0.0.1:1", "somebody"))
    with pytest.raises(BadSecret, match="the ARI user somebody is not known: set CONTACTCENTRE_ARI_SECRET_FILE"):
        make_plan(parse(document()), target, {})
    ours = replace(target, outbound=Outbound("ws://127.0.0.1:1"))
    plan = make_plan(parse(document()), ours, {})
    made = {change.name: change.new or "" for change in plan.files}
    assert f"password = {plan.new_secrets['ari/contactcentre']}\n" in made["contactcentre/websocket_client.conf"]


def test_under_a_front_end_that_writes_asterisks_files_the_include_goes_where_it_stays(tmp_path: Path) -> None:
    own = "; generated, do not edit\n#include extensions_additional.conf\n#include extensions_custom.conf\n"
    (tmp_path / "extensions.conf").write_text(own)
    (tmp_path / "extensions_custom.conf").write_text("[from-internal-custom]\n")
    (tmp_path / "ari.conf").write_text("[general]\n#include ari_additional_custom.conf\n")
    (tmp_path / "ari_additional_custom.conf").write_text("")
    target = AsteriskTarget(tmp_path, lambda command: "")
    plan = make_plan(parse(document()), target, {})
    made = {change.name: change.new for change in plan.files}
    assert made["extensions_custom.conf"] == (
        "[from-internal-custom]\n; What contactcentre provisions:\n#tryinclude contactcentre/extensions.conf\n"
    )
    assert (made["ari_additional_custom.conf"] or "").endswith("#tryinclude contactcentre/ari.conf\n")
    assert "extensions.conf" not in made
    apply(replace(plan, checks=()), target, lambda *_: 1, lambda _: None, by="test")
    assert make_plan(parse(document()), target, plan.new_secrets, parse(document())).empty
    apply(replace(plan_removal(target, parse(document())), checks=()), target, lambda *_: 2, lambda _: None, by="test")
    assert (tmp_path / "extensions_custom.conf").read_text() == "[from-internal-custom]\n"
    assert (tmp_path / "ari_additional_custom.conf").read_text() == ""


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "shipped.conf").write_bytes(b"; l\xe9gende\n[general]\nsecret=of-the-pbx")
    (tmp_path / "etc/extensions.conf").symlink_to(tmp_path / "shipped.conf")
    target = AsteriskTarget(tmp_path / "etc", lambda command: "")
    plan = make_plan(parse(document()), target, {})
    assert " secret=******** (old)" not in plan.diff()
    assert "of-the-pbx" not in plan.diff()
    assert "l\N{REPLACEMENT CHARACTER}gende" in plan.diff()
    apply(replace(plan, checks=()), target, lambda *_: 1, lambda _: None, by="test")
    assert (tmp_path / "etc/extensions.conf").is_symlink()
    written = (tmp_path / "shipped.conf").read_bytes()
    assert written.startswith(b"; l\xe9gende\n[general]\nsecret=of-the-pbx\n")
    assert written.endswith(b"#tryinclude contactcentre/extensions.conf\n")


def test_a_context_that_the_pbx_has_itself_is_not_taken_even_in_a_file_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "extensions.conf").write_text("#include more/*.conf\n;--\n[contactcentre-out]\n--;\n")
    (tmp_path / "more").mkdir()
    (tmp_path / "more/mine.conf").write_text("; mine\n[contactcentre-in](+)\n")
    with pytest.raises(SiteError, match=r"the context contactcentre-in is defined in the PBX's own mine.conf:2$"):
        make_plan(parse(document()), AsteriskTarget(tmp_path, _dead), {})


def test_a_carriers_password_is_asked_for_not_invented(pbx: Pbx) -> None:
    site = parse(document(trunks__isp={"host": "127.0.0.3", "username": "us", "registration": True}))
    with pytest.raises(Exception, match="contactcentre secret set trunk/isp"):
        pbx.plan(site)
    pbx.secrets["trunk/isp"] = "the-carriers-word"
    pbx.apply(pbx.plan(site))
    assert "isp/sip:127.0.0.3:5060" in pbx.lab.rx("pjsip show registrations")


def test_a_changed_secret_shows_as_changed_and_not_as_itself(pbx: Pbx) -> None:
    site = parse(document())
    pbx.apply(pbx.plan(site))
    pbx.secrets["agent/alice"] = "another-secret-of-alice"
    diff = pbx.plan(site).diff()
    assert "-password = ******** (old)" in diff
    assert "+password = ******** (new)" in diff
    assert "another" not in diff


def test_the_pbx_understands_every_strategy_and_condition_of_a_queue(pbx: Pbx) -> None:
    queue = {"join_empty": "paused,unavailable", "leave_when_empty": "penalty,invalid", "announce_wait": True}
    queues = {f"q-{name}": {**queue, "strategy": name} for name in STRATEGIES}
    pbx.apply(pbx.plan(parse(document(queues={**document()["queues"], **queues}))))
    shown = pbx.lab.rx("queue show")
    for name in STRATEGIES:
        assert f"contactcentre-q-{name} has 0 calls" in shown
    assert "in 'linear' strategy" in shown
    queues["q-ringall"] = {**queue, "strategy": "linear"}
    pbx.apply(pbx.plan(parse(document(queues={**document()["queues"], **queues}))))
    changed = pbx.lab.rx("queue show contactcentre-q-ringall")
    assert "in 'linear' strategy" in changed, "a queue that is there already changes without a restart"


def test_a_call_from_another_trunk_than_the_dids_own_is_not_let_in(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    assert pbx.lab.call("+33155500002", patience=5).status == 404


def test_a_phone_reaches_colleagues_and_feature_codes_but_neither_the_outside_nor_a_fallback(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    with (
        pbx.lab.phone("alice", pbx.secrets["agent/alice"]) as alice,
        pbx.lab.phone("bob", pbx.secrets["agent/bob"], ring=0.1),
    ):
        assert alice.dial("102", talk=0.2).wait().person_at is not None
        assert alice.dial("+33612345678").wait().status == 404
        assert alice.dial("0033612345678").wait().status == 404
        assert alice.dial("support").wait().status == 404
        assert alice.dial("*479").wait().status == 404, "there are five reasons for a pause"
        without_controller = alice.dial("*45").wait()
        assert (without_controller.answered_at, without_controller.status) == (None, 500)


def test_a_hostile_caller_changes_nothing_in_the_dialplan(pbx: Pbx) -> None:
    pbx.apply(pbx.plan(parse(document())))
    before = pbx.lab.rx("dialplan show")
    with pbx.lab.phone("alice", pbx.secrets["agent/alice"], ring=0.2):
        result = pbx.lab.call("+33155500001", caller="${SHELL(id)}", name='"; rm -rf ,1)', talk=0.2, patience=20)
    assert result.person_at is not None
    assert pbx.lab.rx("dialplan show") == before


def test_a_check_is_asked_again_until_it_is_so(pbx: Pbx) -> None:
    answers = iter(["not yet", "still not", "here it is"])
    target = AsteriskTarget(pbx.target.etc_dir, lambda command: next(answers))
    assert verify(target, (Check("q", "here", "it is here"),), seconds=5) == []


def _dead(command: str) -> str:
    raise OSError("not there")


def _apply_and_die(pbx: Pbx, moment: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Another process applies a site with a new agent, carol, and kills itself at that moment."""
    script = tmp_path / "die.py"
    script.write_text(
        textwrap.dedent(
            """
            import json, os, signal, sys
            from pathlib import Path
            from contactcentre.lab import Lab
            from contactcentre.provision import AsteriskTarget, apply, make_plan, parse
            from contactcentre.provision import backup

            state, etc, moment = sys.argv[1:]
            given = json.load(sys.stdin)
            lab = Lab(state)

            def die(*_):
                os.kill(os.getpid(), signal.SIGKILL)

            def rx(command):
                if moment == "reload" and "reload" in command:
                    die()
                return lab.rx(command)

            if moment == "files":
                write, count = backup.write, []
                def cut_short(path, text, like):
                    write(path, text, like)
                    if path.name == "pjsip.conf" and path.parent.name == "contactcentre":
                        die()
                backup.write = cut_short
            target = AsteriskTarget(Path(etc), rx)
            plan = make_plan(parse(given["site"]), target, given["secrets"], parse(given["now"]))
            apply(plan, target, die, lambda secrets: None, by="the-killed")
            """
        )
    )
    import json

    given = {
        "site": document(agents__carol={}),
        "now": pbx.current.model_dump(mode="json"),
        "secrets": {**pbx.secrets, "agent/carol": "a-secret-of-carol"},
    }
    return subprocess.run(
        [sys.executable, str(script), str(pbx.lab.directories.state), str(pbx.target.etc_dir), moment],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
