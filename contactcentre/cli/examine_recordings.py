"""What `doctor` looks at: can what is sealed be opened, and is what comes sealed."""

from collections.abc import Iterator

from contactcentre.archive import BadKeys, KeySource
from contactcentre.cli.examine import Finding, fail, ok, warn
from contactcentre.embedded import Services
from contactcentre.settings import Settings
from contactcentre.store import Store

SUBJECT = "recording keys"


def keys(settings: Settings, services: Services) -> Iterator[Finding]:
    """The master keys, against what the database says is sealed with them."""
    try:
        ring = KeySource.of(settings).read()
    except BadKeys as error:
        yield fail(SUBJECT, str(error), "until then recordings wait on the PBX, and sealed ones cannot be heard")
        return
    with Store(services.database_url) as store:
        have, need = store.schema_version()
        used = store.data_keys() if have == need else {}
    if lost := sorted(used.keys() - ring.keys.keys()):
        text = f"{sum(used[name] for name in lost)} recordings need keys that are not here: {', '.join(lost)}"
        yield fail(SUBJECT, text, f"bring {settings.recording_keys_file} back from its backup")
    elif ring.current:
        yield ok(SUBJECT, f"recordings are sealed with {ring.current}")
    else:
        yield warn(SUBJECT, "recordings lie in the clear", "contactcentre recording keys init; back the file up")
