"""Spoken texts: make those that the flows need, before a caller has to wait for them."""

import os

import click

from contactcentre import logs
from contactcentre.cli.context import open_store, which_pbx
from contactcentre.settings import Settings


@click.group()
def command() -> None:
    """The prompts that flows play."""


@command.command()
def prepare() -> None:
    """Synthesise every text of the site's flows that has no sound file. Exit code 1 when one could not be made."""
    from contactcentre.controller import stock_sounds
    from contactcentre.domain.flows.model import Flow
    from contactcentre.prompts.speech import Prompts

    os.nice(10)  # calls go first
    settings = Settings().prepare()
    logs.configure(settings.log_level, settings.log_format, process="prompts")
    with open_store(settings) as store:
        _, site = store.site()
        pbx = which_pbx(settings, site)
    flows = [Flow.parse(name, data) for name, data in site.flows.items()] if site else []
    failed = stock_sounds.prepare(settings.prompts_dir) if pbx == "freeswitch" else 0
    failed += Prompts(settings.prompts_dir).prepare(flows)
    if failed:
        click.echo(f"{failed} texts could not be made; the log says why", err=True)
        raise SystemExit(1)
