"""What the commands that change the site share: the store, the PBX, and the one way from a wish to an applied
change."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click

from contactcentre.cli.context import open_live, open_store, which_pbx
from contactcentre.cli.esl import Console, named
from contactcentre.cli.terminal import actor, counted
from contactcentre.cli.terminal import json_option as json_option
from contactcentre.cli.terminal import print_json as print_json
from contactcentre.domain.flows.check import Knows
from contactcentre.domain.site import Site
from contactcentre.lab import lab_of
from contactcentre.logs import printable
from contactcentre.provision import (
    AnyTarget,
    Applied,
    AsteriskTarget,
    FreeswitchTarget,
    Plan,
    ProvisionError,
    apply,
    asterisk_console,
    freeswitch_console,
    load,
    make_plan,
    recover,
    unsettled,
)
from contactcentre.provision.freeswitch.event_socket import addresses_of
from contactcentre.provision.render import ARI_USER, Outbound
from contactcentre.provision.target import CONSOLE_SECONDS
from contactcentre.settings import Settings
from contactcentre.store import Store

yes_option = click.option("-y", "--yes", is_flag=True, help="Apply without asking.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Show the plan and stop.")
comment_option = click.option("-m", "--comment", default="", help="Why; kept with the site's version.")


class NoPbx(ProvisionError):
    """No PBX is configured."""


@dataclass(frozen=True)
class Desk:
    """Everything at hand to change a site: the newest version, its number, the store and the PBX."""

    store: Store
    settings: Settings
    target: AnyTarget
    version: int
    site: Site

    def before(self, site: Site) -> "Desk":
        """This desk, before the PBX that another site is for."""
        return replace(self, target=pbx_target(self.settings, site))

    def plan(self, site: Site) -> Plan:
        """What brings the target to the site. What an earlier version provisioned on another kind of PBX stays there:
        nothing is known of that one, and its callers may still need it."""
        was = self.site.pbx or self.settings.pbx or "asterisk"
        if not self.version or was == which_pbx(self.settings, site):
            return make_plan(site, self.target, self.store.secrets(), self.site)
        plan = make_plan(site, self.target, self.store.secrets())
        return replace(plan, old_site=self.site, notes=(f"what was provisioned on {was} stays there", *plan.notes))

    def carry_out(self, plan: Plan, *, yes: bool, dry_run: bool, comment: str, action: str, subject: str) -> None:
        """Shows the plan, asks, applies, records and tells everybody."""
        click.echo(outline(plan))
        if plan.empty or dry_run:
            return
        if not yes:
            if not sys.stdin.isatty():
                raise click.ClickException("nobody can be asked here: add --yes to apply this plan")
            click.confirm("Apply this plan?", abort=True)

        def say(text: str) -> None:
            click.secho(f"  {text}", dim=True)

        why = comment or f"{action.rpartition('.')[2]} {subject}".strip()
        done = self.do(plan, actor(), why, action, subject, say=say)
        passed = f" {counted(done.checked, 'check')} passed." if done.checked else ""
        click.secho(f"Applied: the site is at version {done.version}.{passed}", fg="green")

    def do(
        self,
        plan: Plan,
        by: str,
        comment: str,
        action: str,
        subject: str,
        *,
        address: str = "",
        say: Callable[[str], None] = lambda text: None,
    ) -> Applied:
        """Applies the plan, records it and tells everybody. Raises as `provision.apply`, and SiteChanged."""

        def record(site: Site, by: str, why: str) -> int:
            return self.store.save_site(site, by, why, expected=self.version)

        def keep(secrets: dict[str, str]) -> None:
            for name, value in secrets.items():
                self.store.set_secret(name, value)

        done = apply(plan, self.target, record, keep, by=by, comment=comment, say=say)
        detail = {"version": done.version, "backup": done.backup}
        self.store.audit(by, action, subject, {**detail, "comment": comment} if address else detail, address)
        publish(done.version)
        return done


def known_prompts() -> Knows:
    """Says whether a prompt can be heard in a language."""
    from contactcentre.prompts.speech import Prompts

    return Prompts(Settings().prompts_dir).knows


def read_site(file: Path) -> Site:
    """A site file, checked; also that every prompt which its flows name can be heard. Raises SiteError."""
    return load(file, known_prompts())


def stored_site() -> Site:
    """The newest version of the site; an empty one when nothing is provisioned yet. Needs no PBX."""
    with open_store() as store:
        _, site = store.site()
    return site or Site()


@contextlib.contextmanager
def desk(wanted: Site | None = None, *, settle: bool) -> Iterator[Desk]:
    """Opens the store, and the PBX that the wanted site is for, else the stored one. With `settle`, an apply that was
    cut short is settled first; otherwise it is only told of."""
    settings = Settings()
    with open_store(settings) as store:
        version, site = store.site()
        target = pbx_target(settings, wanted or site)
        if settle:
            done = recover(
                target,
                site or Site(),
                lambda cut_short, by, why: store.save_site(cut_short, by, why, expected=version),
            )
            if done:
                click.secho(f"First, {done}.", fg="yellow", err=True)
                store.audit(actor(), "site.recover", "", {"done": done})
                version, site = store.site()
        elif unsettled(target):
            text = "An apply is running, or was cut short; the next `contactcentre apply` settles it first."
            click.secho(text, fg="yellow", err=True)
        yield Desk(store, settings, target, version, site or Site())


def pbx_target(settings: Settings, site: Site | None) -> AnyTarget:
    """The lab of this state directory where that is the PBX, else this machine's own Asterisk or FreeSWITCH, as the
    site says. Raises NoPbx, SettingsError."""
    kind = which_pbx(settings, site)
    etc = settings.pbx_etc_dir
    if etc is None:
        raise NoPbx(
            "no PBX is configured: set CONTACTCENTRE_PBX_ETC_DIR (say /etc/asterisk or /etc/freeswitch), or "
            "`contactcentre lab start`"
        )
    if not etc.is_dir():
        raise NoPbx(f"the PBX's configuration directory {etc} does not exist")
    if kind == "asterisk" and (etc / "freeswitch.xml").exists():
        raise NoPbx(f"{etc} is FreeSWITCH's configuration, and nothing says `pbx: freeswitch`")
    if kind == "freeswitch":
        return FreeswitchTarget(etc, _freeswitch_console(settings, etc))
    of_lab = etc.resolve().is_relative_to(settings.lab_dir.resolve())
    return AsteriskTarget(etc, lab_of(settings).rx if of_lab else asterisk_console, outbound_of(settings))


def outbound_of(settings: Settings) -> Outbound | None:
    """How the PBX reaches the controller, where it is to."""
    if not settings.ari_listen:
        return None
    secret = settings.ari_secret.get_secret_value() if settings.ari_secret else ""
    return Outbound(settings.ari_listen, settings.ari_user or ARI_USER, secret, settings.ari_listen_ca_file)


def _freeswitch_console(settings: Settings, etc: Path) -> Callable[[str], str]:
    """Over the event socket that the switch's files say, where they can be read, or the settings; else `fs_cli`."""
    said = named(settings)
    addresses = [*addresses_of(etc), *([said] if said else [])]
    return Console(addresses, CONSOLE_SECONDS) if addresses else freeswitch_console


def outline(plan: Plan) -> str:
    """The plan as a person reads it: the diffs in colour, then what else happens."""
    if plan.empty:
        return "Nothing to change: the PBX is as the site says."
    lines = [_coloured(printable(line)) for line in plan.diff().rstrip("\n").split("\n")]
    lines += ["", *(f"note: {note}" for note in plan.notes)]
    for change in plan.files:
        how = "is made" if change.old is None else "goes" if change.new is None else "changes"
        lines.append(f"file: {change.path} {how}")
    lines += [f"reload: {command}" for command in plan.reloads]
    if plan.checks:
        lines.append(f"then {counted(len(plan.checks), 'check')}, and back to what was if one fails")
    if not plan.files:
        lines.append("No file of the PBX changes.")
    return "\n".join(lines)


def plan_as_json(plan: Plan) -> str:
    return json.dumps(
        {
            "empty": plan.empty,
            "diff": plan.diff(),
            "files": [str(change.path) for change in plan.files],
            "reloads": plan.reloads,
            "checks": [{"command": check.command, "says": check.words} for check in plan.checks],
            "notes": plan.notes,
        },
        indent=2,
    )


def publish(version: int) -> None:
    """Tells controllers and pages; where Redis is away they find the version when they look next."""
    try:
        with open_live() as live:
            live.publish_site(version)
    except Exception as error:
        click.secho(
            f"The controllers could not be told ({error}); they read the site when they start.", fg="yellow", err=True
        )


def _coloured(line: str) -> str:
    if line.startswith(("---", "+++")):
        return click.style(line, bold=True)
    colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=colour) if colour else line
