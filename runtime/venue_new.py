"""`gateway venue new`: a venue's package with everything named and nothing of its protocol.

It passes the M cards and fails the F cards, whose reasons say what to write next. The files come from
`venue_template/`, where `@NAME@` and its like stand for what the author chose.
"""

import keyword
import re
import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from connectors import registry
from connectors.errors import ConfigError
from connectors.session import Capabilities, Venue

NAME_MAX: Final = 24
_NAME: Final = re.compile(r"[a-z][a-z0-9]*")


def package_name(name: str) -> str:
    """`tulip` → `tulip_venue`: a word that no other wheel is likely to have."""
    return f"{name}_venue"


def check_name(name: str) -> None:
    """Raises ConfigError for what cannot be a venue's name, or is one's already."""
    if not _NAME.fullmatch(name) or len(name) > NAME_MAX:
        mend = f"use lower-case letters and digits, a letter first, at most {NAME_MAX}: tulip"
        raise ConfigError(f"{name[:80]!r} cannot be a venue's name", place="NAME", mend=mend)
    if name in registry.names() or keyword.iskeyword(name) or package_name(name) in sys.stdlib_module_names:
        raise ConfigError(f"{name!r} is taken", place="NAME", mend="choose another")


def new(name: str, folder: Path) -> dict[str, Any]:
    """Writes the package into `folder`, which must be new or empty. Raises ConfigError."""
    check_name(name)
    package = package_name(name)
    texts = {
        "@NAME@": name, "@CLASS@": name.capitalize(), "@PACKAGE@": package,
        "@CAPABILITIES@": _capabilities(name, package),
    }  # fmt: skip
    written = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError("exists already", place=str(folder), mend="choose another folder: nothing is overwritten")
        for source, path in _files_of(files("runtime").joinpath("venue_template")):
            text = source.read_text(encoding="utf-8")
            for mark, value in texts.items():
                text = text.replace(mark, value)
            target = folder / (package + path.removeprefix("package") if path.startswith("package/") else path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            written.append(str(target.relative_to(folder)))
        (folder / "tests" / "fixtures").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        place = str(error.filename or folder)
        raise ConfigError(f"cannot be written: {error.strerror}", place=place, mend="choose another folder") from None
    following = [
        f"cd {folder}",
        "uv pip install --no-deps -e .",
        f"gateway venue certify {name}",
        "docs/add-a-venue.md, step 1",
    ]
    return {"name": name, "package": package, "folder": str(folder), "files": sorted(written), "next": following}


def _capabilities(name: str, package: str) -> str:
    """The table that card M30 wants, of what the template declares."""
    from runtime.conformance.table import block_of

    def market(_plan: object) -> Any:
        raise AssertionError(package)  # never made: only its capabilities are looked at

    return block_of(Venue(name, 100, "", Capabilities(depths=(10,), checksum=False), market))


def _files_of(folder: Traversable, prefix: str = "") -> list[tuple[Traversable, str]]:
    """Templates below `folder` with the paths they are written to: `gitignore.tmpl` becomes `.gitignore`."""
    found: list[tuple[Traversable, str]] = []
    for item in folder.iterdir():
        if item.is_dir():
            found += _files_of(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".tmpl"):
            name = item.name.removesuffix(".tmpl")
            found.append((item, prefix + (".gitignore" if name == "gitignore" else name)))
    return found
