"""What a person may ask of a running session, on its main loop: look, arm, set, limits, override, promote.

Everything that changes something is a `Command` fed to the session. Nothing here makes a scope more permissive but
`arm` and what is confirmed or signed by a person.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.errors import ConfigError
from risk.limit_changes import changes, is_looser, tightened
from risk.limits import LimitTree
from runtime.abi import Region
from runtime.control_client import Request
from runtime.inputs import Command, Input
from runtime.instance import AlgoInstance
from runtime.killswitch import KillSwitch
from runtime.overrides import verified
from runtime.regions import Param
from runtime.session import Session
from runtime.standing import standing_of

Feed = Callable[[Input], None]
Tell = Callable[[str, str], None]


class Surroundings(msgspec.Struct, kw_only=True):
    """What a session has around it. `limits` reads the limits anew; None: they cannot be read again.

    `journal` tells of the journal: path, durability, failed; None where none is kept. `drilled` writes a drill's row
    there. `last_drill`: the last one's, with its `at_ns`. `override_keys`: name → public key in hex.
    `drill_max_age_h`: 0: no drill is asked for.
    """

    limits: Callable[[], LimitTree] | None = None
    journal: Callable[[], dict[str, Any]] | None = None
    drilled: Callable[[dict[str, Any]], None] | None = None
    last_drill: dict[str, Any] | None = None
    override_keys: Mapping[str, str] = {}
    drill_max_age_h: int = 0


class Person:
    """One session's, for whoever is let in at the control door. All but `seen` and `silent_ms`: on the main loop."""

    def __init__(
        self, session: Session, switch: KillSwitch, feed: Feed, tell: Tell, around: Surroundings,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:  # fmt: skip
        self.session = session
        self.around = around
        self.clock = clock
        self._switch = switch
        self._feed = feed
        self._tell = tell
        self._seen: dict[str, Any] = {}
        self._looked_ns = time.monotonic_ns()
        self.look()

    # --- looking ---------------------------------------------------------------------------------------------------

    def look(self) -> dict[str, Any]:
        """The session as it is now."""
        engine = self.session.engine
        algos = [_algo(algo) for algo in engine.algos]
        standing = standing_of(self.session, self.around, self._switch.held_by, self.clock())
        self._seen = {"algos": algos, **standing}
        self._looked_ns = time.monotonic_ns()
        return self._seen

    def seen(self) -> dict[str, Any]:
        """The session as it was last looked at. Any thread."""
        return self._seen

    def silent_ms(self) -> int:
        """How long ago that was. Any thread."""
        return (time.monotonic_ns() - self._looked_ns) // 10**6

    # --- changing --------------------------------------------------------------------------------------------------

    def arm(self, request: Request) -> dict[str, Any]:
        """Makes a scope ACTIVE. Raises ConfigError without a name, or while the kill file is there."""
        if not request.who:
            raise ConfigError("nobody is named: only a person arms", mend="say who")
        left = self._switch.arm(request.target, request.who)
        text = f"{request.target or 'all'} is ACTIVE" + (f"; still not: {', '.join(left)}" if left else "")
        return {"ok": True, "text": text, "left": left}

    def set(self, request: Request) -> dict[str, Any]:
        """New values of an algo's parameters: all of them, or none and the reason."""
        algo = self._algo_named(request.target)
        if problem := self._unseen(algo) or _unfit(algo, request.params):
            raise ConfigError(f"{request.target}: {problem}", mend="see docs/parameters.md")
        before = algo.config.version
        self._feed(Command("set", request.who, request.target, request.params))
        if algo.config.version == before:
            raise ConfigError(f"{request.target}: nothing was set: the session is ending", mend="start it again")
        self._tell(f"{request.who or 'somebody'} set parameters of {request.target}", "info")
        return {"ok": True, "text": f"{request.target}: {len(request.params)} set, seen at its next callback"}

    def limits(self, request: Request) -> dict[str, Any]:
        """Reads the limits again: what is tighter holds at once, what is looser only if that was confirmed."""
        if self.around.limits is None:
            raise ConfigError("these limits were read from no file", mend="start it with [limits] or --limits")
        self._must_run()
        gate = self.session.engine.gate
        read = self.around.limits()
        promoted = tuple(dict.fromkeys((*read.promoted, *gate.tree.promoted)))  # by command: in no file
        read = msgspec.structs.replace(read, promoted=promoted)
        tree = read if request.confirm else tightened(gate.tree, read)
        done = [change.text for change in changes(gate.tree, tree)]
        kept = [] if request.confirm else [c.text for c in changes(gate.tree, read) if is_looser(c)]
        if done:
            self._feed(Command("limits", request.who or "somebody", limits=tree))
            if changes(gate.tree, tree):
                raise ConfigError("the limits were not taken", mend="look at the gateway's screen")
        text = f"{len(done)} limit{'' if len(done) == 1 else 's'} changed"
        if kept:
            text += f", {len(kept)} looser {'one waits' if len(kept) == 1 else 'ones wait'} for --confirm"
        self._tell(f"{text}, by {request.who or 'somebody'}", "info")
        return {"ok": True, "text": text, "changed": done, "waiting": kept}

    def override(self, request: Request) -> dict[str, Any]:
        """A signed grant for one order. Raises ConfigError with what is wrong with its token."""
        self._must_run()
        gate = self.session.engine.gate
        grant = verified(request.token, self.around.override_keys, self.clock())
        if grant.id in gate.grants_used:
            raise ConfigError(f"override {grant.id} was used already", mend="sign a new one")
        if any(one.id == grant.id for one in gate.grants):
            raise ConfigError(f"override {grant.id} waits for its order already", mend="once is enough")
        self._algo_named(grant.algo)
        if grant.market not in self.session.engine.names:
            names = ", ".join(self.session.engine.names[:24])
            raise ConfigError(f"the override is for market {grant.market!r:.80}", mend=f"name one of {names}")
        self._feed(Command("override", grant.who, grant.id, grant=grant))
        self._tell(
            f"override {grant.id} of {grant.who} for {grant.algo} at {grant.market} waits for its order", "warning"
        )
        return {"ok": True, "text": f"override {grant.id} of {grant.who}: waits for its order", "id": grant.id}

    def promote(self, request: Request) -> dict[str, Any]:
        """An algo's module is no canary any more."""
        self._must_run()
        if not request.who:
            raise ConfigError("nobody is named: only a person promotes", mend="say who")
        algo = self._algo_named(request.target)
        self._feed(Command("promote", request.who, algo.guest.sha256))
        self._tell(f"{request.target} was promoted by {request.who}", "warning")
        return {"ok": True, "text": f"{request.target}: module {algo.guest.sha256[:12]} is no canary any more"}

    # --- what must hold --------------------------------------------------------------------------------------------

    def _must_run(self) -> None:
        if self.session.is_stopped:
            raise ConfigError("the session has ended", mend="start it again")

    def _algo_named(self, name: str) -> AlgoInstance:
        algos = self.session.engine.algos
        found = next((algo for algo in algos if algo.name == name), None)
        if found is None:
            names = ", ".join(algo.name for algo in algos) or "none runs"
            raise ConfigError(f"no algo is called {name!r}: {names}", mend="gateway algo list shows them")
        return found

    def _unseen(self, algo: AlgoInstance) -> str:
        """Why this algo would never see what is set; or nothing."""
        if self.session.is_stopped:
            return "the session has ended"
        if Region.CONFIG not in algo.guest.regions:
            return f"a guest of generation {algo.guest.generation} cannot read parameters: that takes the crate 0.4"
        return "" if algo.is_alive else "it is disabled: no callback of it runs"


def _algo(algo: AlgoInstance) -> dict[str, Any]:
    return {
        "name": algo.name, "generation": str(algo.guest.generation), "alive": algo.is_alive,
        "sandboxed": algo.guest.is_sandboxed, "restarts": algo.restarts, "callbacks": algo.callbacks,
        "params": {str(param.slot): param.text for param in algo.config.params}, "fault": algo.fault,
    }  # fmt: skip


def _unfit(algo: AlgoInstance, params: Sequence[Param]) -> str:
    """What is wrong with these parameters; or nothing."""
    if not params:
        return "no parameter is given"
    try:
        algo.config.check(params)
    except ConfigError as error:
        return f"{error.problem} ({error.mend})"
    return ""
