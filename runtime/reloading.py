"""Limits of a running session, read again: on SIGHUP and by `gateway limits reload [--confirm]`.

What tightens holds at once; what loosens is withheld until a person confirms it, because a slip of the pen in a limit
costs more than a second look. A file that cannot be read changes nothing.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from connectors.errors import ConfigError
from risk.limit_changes import Change, changes, tightened
from risk.limits import LimitTree
from runtime import config as configuration
from runtime.config_limits import limits_of

Check = Callable[[LimitTree], None]  # raises ConfigError


class LimitFiles(msgspec.Struct, frozen=True):
    """Where a session's limits come from: `limits` where it was started with `--limits`, else the config's files."""

    config: tuple[Path, ...] = ()
    limits: Path | None = None

    def read(self, environment: Mapping[str, str] | None = None) -> LimitTree:
        """Raises ConfigError, also where no file has a [limits] any more."""
        if self.limits is not None:
            return configuration.load_limits(self.limits)
        settings = configuration.load(self.config, environment)
        return limits_of(settings.limits, settings.origin)


class Reloaded(msgspec.Struct, frozen=True):
    """What a reload comes to: the limits to be in force now, what that changes, and what waits for a person's word."""

    tree: LimitTree
    applied: list[Change]
    withheld: list[Change]

    @property
    def lines(self) -> list[str]:
        """For a person, one change a line."""
        told = [f"{change.text}{_from(self.tree.origin(change.scope, change.key))}" for change in self.applied]
        told += [f"{change.text}: looser, needs --confirm" for change in self.withheld]
        return told or ["limits unchanged"]


def check_variables(limits: Path | None, environment: Mapping[str, str] | None = None) -> None:
    """Raises ConfigError for a limit in the environment beside `--limits`: it would hold nobody."""
    prefix = f"{configuration.ENV_PREFIX}LIMITS__"
    for name in sorted(os.environ if environment is None else environment):
        if limits is not None and name.upper().startswith(prefix):
            mend = f"unset it, or write that limit into {limits}"
            raise ConfigError(f"is not used beside --limits {limits}", place=f"environment {name}", mend=mend)


def reload(files: LimitFiles, current: LimitTree, *, confirm: bool, check: Check | None = None) -> Reloaded:
    """Reads the files again. `check` may refuse what they say, as at the start. Raises ConfigError: nothing changes."""
    new = files.read()
    if check is not None:
        check(new)
    tree = new if confirm else tightened(current, new)
    return Reloaded(tree, changes(current, tree), changes(tree, new))


def _from(origin: str) -> str:
    return f" ({origin})" if origin else ""
