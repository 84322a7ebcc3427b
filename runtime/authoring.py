"""`gateway init`: a new algo that builds, has passing tests and quotes two sides, in Rust, Zig or Python.

The files come from `templates/`, where `@NAME@` and its like stand for what the author chose.
"""

import re
import shlex
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConfigError

LANGUAGES: Final = ("rust", "zig", "python")
NAME_MAX: Final = 32  # an algo's name in a deploy block
_NAME: Final = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
# what cargo refuses as a package name: Rust's keywords, crates that are always there, its own folders
RESERVED: Final = frozenset(
    """
    abstract alloc as async await become box break build const continue core crate deps do dyn else enum examples extern
    false final fn for gen if impl in incremental let loop macro match mod move mut override priv proc-macro proc_macro
    pub ref return self static std struct super test trait true try type typeof unsafe unsized use virtual where while
    yield algo-sdk algo_sdk sequence-algo-sdk
    """.split()  # noqa: SIM905 - a list of 66 strings would hide the words
)


def module_name(name: str) -> str:
    """`my-algo` → `my_algo`: how compilers call what they write."""
    return name.replace("-", "_")


def class_name(name: str) -> str:
    """`my-algo` → `MyAlgo`."""
    return "".join(part.capitalize() for part in re.split("[-_]", name))


def check_name(name: str) -> None:
    """Raises ConfigError for what could not be a crate and a file on every system."""
    mend = "use lower-case letters, digits and single - or _, a letter first: my-algo"
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot be an algo's name", place="NAME", mend=mend)
    if len(name) > NAME_MAX:
        raise ConfigError(f"{name!r} is longer than {NAME_MAX} characters", place="NAME", mend="shorten it")
    if name in RESERVED:
        raise ConfigError(f"{name!r} is taken by Rust or the crate", place="NAME", mend="choose another: my-algo")


def init(folder: Path, language: str) -> dict[str, Any]:
    """Writes the project into `folder`, which must be new or empty; its last part is the algo's name.

    Raises ConfigError. The answer names the files and the commands that come next.
    """
    if language not in LANGUAGES:
        problem = f"{language!r} is no language of ours"
        raise ConfigError(problem, place="--lang", mend=f"choose from: {', '.join(LANGUAGES)}")
    name = folder.name
    check_name(name)
    module = "algo.py" if language == "python" else f"{module_name(name)}.wasm"
    texts = {"@NAME@": name, "@CLASS@": class_name(name), "@MODULE@": module}
    written = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                "exists already", place=str(folder), mend="choose another name or empty it: nothing is overwritten"
            )
        root = files("runtime").joinpath("templates")
        for source, path in [*_files_of(root.joinpath(language)), (root.joinpath("gateway.toml.tmpl"), "gateway.toml")]:
            text = source.read_text(encoding="utf-8")
            for mark, value in texts.items():
                text = text.replace(mark, value)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        place = str(error.filename or folder)
        raise ConfigError(f"cannot be written: {error.strerror}", place=place, mend="choose another folder") from None
    test = {"rust": "cargo test", "zig": "zig test main.zig", "python": "pytest"}[language]
    return {
        "name": name,
        "language": language,
        "folder": str(folder),
        "files": sorted(written),
        "next": [f"cd {folder}", *_how_to_call(), "gateway build", test, f"gateway run-algo {module} TAPE"],
    }


def _how_to_call() -> list[str]:
    """A clone's `gateway` is on no PATH of its own."""
    clone = Path(__file__).resolve().parents[1]
    if not (clone / "pyproject.toml").is_file():
        return []
    at = shlex.quote(str(clone))
    return [f"# no gateway on PATH: uv run --project {at} gateway …"]


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
