"""Where a key is read from. A config names the place and never holds the key itself.

`env:NAME` a variable, `file:PATH` a file that only we can read, `cred:NAME` a credential that systemd hands over
(https://systemd.io/CREDENTIALS/: `LoadCredential=` in the unit).
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connectors.errors import ConfigError
from runtime.vault import SECRET_CHARS_MAX

WANTED: Final = "a reference is wanted, never the key itself: env:NAME, file:PATH or cred:NAME"
KINDS: Final = {"env": "name of a variable", "file": "path", "cred": "name of a credential"}
_PREFIX: Final = re.compile(r"[a-z]{1,8}")  # no key of any venue begins so
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
_CREDENTIAL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,47}")


def check_reference(text: str) -> str:
    """The text. Raises ValueError, which does not repeat it, for what is no reference: it may be the key."""
    kind, _, name = text.partition(":")
    is_good = text.isprintable() and (
        (kind == "env" and bool(_NAME.fullmatch(name)))
        or (kind == "file" and bool(name))
        or (kind == "cred" and bool(_CREDENTIAL.fullmatch(name)))
    )
    if text and not is_good:
        raise ValueError(f"{WANTED}; {_found(text)}")
    return text


def _found(text: str) -> str:
    """What was written instead, as far as it can be told without telling a key."""
    kind, colon, _ = text.partition(":")
    if colon and kind in KINDS:
        return f"what stands behind {kind}: is no {KINDS[kind]}"
    if colon and _PREFIX.fullmatch(kind):
        return f"{kind}: is none of these"
    return f"there are {len(text)} characters, and none of these words with its colon before them"


def read_reference(text: str, base: Path, environment: Mapping[str, str], place: str) -> str:
    """What it refers to, without the line feed at its end; `base`: what a relative path is relative to.

    Raises ConfigError, which never holds what was read.
    """
    kind, _, name = text.partition(":")
    if kind == "env":
        value = environment.get(name, "")
        if not value:
            raise ConfigError(f"{text} is not set, or is empty", place=place, mend=f"export {name}=… before the start")
    elif kind == "file":
        value = _read(base / Path(name).expanduser(), place, is_credential=False)
    else:
        folder = environment.get("CREDENTIALS_DIRECTORY", "")
        if not folder:
            mend = f"write LoadCredential={name}:/path into the unit, or refer to a file: file:PATH"
            raise ConfigError(f"{text}: systemd gave no credentials", place=place, mend=mend)
        value = _read(Path(folder) / name, place, is_credential=True)
    value = value.strip("\r\n")
    if not value:
        raise ConfigError(f"{text} is empty", place=place, mend="put the key into it, and nothing else")
    return value


def _read(path: Path, place: str, *, is_credential: bool) -> str:
    """Of a file that nobody else can read or change. Systemd's belong to root or to us, and an ACL shows as group."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        mend = "name the file itself, not a link to it" if path.is_symlink() else "give the path of a file of yours"
        raise ConfigError(f"{path} cannot be read: {error.strerror}", place=place, mend=mend) from None
    try:
        found = os.fstat(handle)
        mode, owners = stat.S_IMODE(found.st_mode), {os.geteuid(), *([0] if is_credential else [])}
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"{path} is not a file", place=place, mend="give the path of a file of yours")
        if found.st_uid not in owners:
            problem = f"{path} belongs to user {found.st_uid}, and we are {os.geteuid()}"
            raise ConfigError(problem, place=place, mend=f"chown {os.geteuid()} {path}")
        if mode & (0o037 if is_credential else 0o077):
            problem = f"{path} has mode {mode:04o}: others can get at it"
            raise ConfigError(problem, place=place, mend=f"chmod 600 {path}")
        data = os.read(handle, SECRET_CHARS_MAX + 3)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", place=place, mend="see the disk") from None
    finally:
        os.close(handle)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} does not hold a key: ASCII is wanted", place=place, mend="write it anew") from None
