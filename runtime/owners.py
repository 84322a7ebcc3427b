"""Refuses to run when another installed distribution also holds one of our four packages.

`connectors`, `risk`, `oms` and `runtime` are ordinary words; two wheels that both contain one overwrite each other
silently, and then nobody knows whose gate is running.
"""

import importlib.util
import json
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from urllib.request import url2pathname

from connectors.errors import ConfigError

PACKAGES = ("connectors", "risk", "oms", "runtime")
DISTRIBUTION = "venuegate"


def check_owners() -> None:
    """Raises ConfigError unless each of the four packages belongs to venuegate and to nothing else."""
    owners = packages_distributions()
    try:
        ours = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise ConfigError("venuegate is not installed", place="start", mend="run it with `uv run gateway …`") from None
    editable = _editable_root(ours)
    for package in PACKAGES:
        others = sorted({name for name in owners.get(package, []) if name.lower() != DISTRIBUTION})
        if others:
            problem = f"package {package!r} also belongs to {', '.join(others)}"
            raise ConfigError(problem, place="start", mend=f"uninstall {others[0]} or use an environment of its own")
        if package not in owners and not _lies_in(package, editable):
            raise ConfigError(f"package {package!r} is not venuegate's own", place="start", mend="reinstall venuegate")


def _editable_root(ours: Distribution) -> Path | None:
    """The checkout of an editable install, which lists no files of its packages."""
    text = ours.read_text("direct_url.json")
    if text is None:
        return None
    info = json.loads(text)
    url = str(info.get("url", ""))
    if not info.get("dir_info", {}).get("editable") or not url.startswith("file://"):
        return None
    return Path(url2pathname(url.removeprefix("file://")))


def _lies_in(package: str, root: Path | None) -> bool:
    spec = importlib.util.find_spec(package)
    if root is None or spec is None or spec.origin is None:
        return False
    return Path(spec.origin).resolve().parent.parent == root.resolve()
