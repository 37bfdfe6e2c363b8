"""Tell agents something that stands on their pages."""

import time

import click

from contactcentre.cli.context import open_live, open_store
from contactcentre.cli.provisioning import stored_site
from contactcentre.cli.terminal import actor, counted, json_option, print_json
from contactcentre.web.notices import LONGEST, NoSuchAudience, NoticeRow, readers_of, tell


@click.command()
@click.argument("text")
@click.option("--to", default="all", show_default=True, metavar="WHOM", help="all, queue:NAME or agent:NAME.")
@json_option
def command(text: str, to: str, as_json: bool) -> None:
    """Tell agents something.

    It stands on their pages at once, until they have read it, and is kept for 30 days.
    """
    site = stored_site()
    if len(text) > LONGEST:
        raise click.BadParameter(f"{len(text)} characters, at most {LONGEST}", param_hint="TEXT")
    with open_live() as live, open_store() as store:
        try:
            readers = readers_of(site, to, live.agents().values(), time.time(), site.agents)
            if not readers:
                raise NoSuchAudience(f"nobody is in {to}")
            made = tell(store, live, actor(), "", to, text, readers)
        except NoSuchAudience as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        return print_json(NoticeRow.of(made, None, "", names=True).model_dump(mode="json"))
    click.echo(f"Told {counted(len(readers), 'agent')}.")
    return None
