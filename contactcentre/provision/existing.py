"""What a PBX's own configuration files define already, so that we never take a name that is in use there."""

import re
from pathlib import Path

MAX_FILES = 500
_SECTION = re.compile(r"^\s*\[([^\]]+)\]\s*(\([^)]*\))?")
_INCLUDE = re.compile(r'^\s*#(?:try)?include\s+["<]?([^">;\s]+)[">]?')


def sections(etc_dir: Path, main: str, leave_out: Path) -> dict[str, str]:
    """Section name -> `file:line` of its first appearance in `main` and all that it includes, but nothing
    under `leave_out` (what we wrote ourselves). A file that is not there defines nothing.
    """
    found: dict[str, str] = {}
    waiting, seen = [etc_dir / main], set[Path]()
    while waiting and len(seen) < MAX_FILES:
        file = waiting.pop(0)
        if file in seen or file.is_relative_to(leave_out):
            continue
        seen.add(file)
        for number, line in enumerate(_lines(file), 1):
            if section := _SECTION.match(line):
                template = "!" in (section[2] or "")
                if not template:
                    found.setdefault(section[1].strip(), f"{file.name}:{number}")
            elif include := _INCLUDE.match(line):
                waiting.extend(_included(etc_dir, include[1]))
    return found


def includes(text: str, path: str) -> bool:
    """Does this configuration text include that file?"""
    return any((m := _INCLUDE.match(line)) and m[1] == path for line in text.splitlines())


def _included(etc_dir: Path, name: str) -> list[Path]:
    if any(sign in name for sign in "*?["):
        pattern = Path(name)
        base = Path("/") if pattern.is_absolute() else etc_dir
        return sorted(base.glob(str(pattern.relative_to("/")) if pattern.is_absolute() else name))
    return [etc_dir / name]  # an absolute name stays what it is


def _lines(file: Path) -> list[str]:
    """A file's lines without block comments (`;--` to `--;`)."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return re.sub(r";--(?!-).*?--;", lambda m: "\n" * m[0].count("\n"), text, flags=re.S).splitlines()
