"""What no validator offers: faults, slots on demand, accounts written from outside."""

import base64
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.solana import params as read
from runtime.sim.solana.accounts import kept

if TYPE_CHECKING:
    from runtime.sim.solana.node import SolanaSim

_SLOTS_MAX: Final = 1_000


class Control:
    """Each public method is the JSON-RPC method of that name, on the HTTP port."""

    def __init__(self, sim: "SolanaSim") -> None:
        self._sim = sim

    def find(self, method: str) -> Any:
        """The Python method of a JSON-RPC method, or None."""
        return getattr(self, method, None) if method.startswith("sim_") else None

    def sim_fault(self, params: list[Any]) -> bool:
        """[name, value]."""
        try:
            self._sim.faults.switch(str(read.argument(params, 0)), read.argument(params, 1))
        except ValueError as error:
            raise read.invalid(str(error)) from None
        return True

    def sim_slot(self, params: list[Any]) -> int:
        """[count = 1]: so many slots at once; the head's then."""
        count = read.whole(read.argument(params, 0, 1))
        if count > _SLOTS_MAX:
            raise read.invalid(f"{count} slots at once, {_SLOTS_MAX} at most")
        for _ in range(count):
            self._sim.slot()
        return self._sim.banks[-1].slot

    def sim_setAccount(self, params: list[Any]) -> bool:  # noqa: N802 - JSON-RPC's names
        """[key, {"owner": …, "data": [text, "base64"]} or null]: written by the next slot; null takes it away."""
        key, given = read.key(read.argument(params, 0)), read.argument(params, 1)
        if given is None:
            self._sim.ledger.set_account(key, None)
            return True
        try:
            owner, (text, encoding) = given["owner"], given["data"]
            if encoding != "base64":
                raise ValueError(f"the encoding is {encoding}")  # noqa: TRY301 - told like every other mistake in it
            data = base64.b64decode(text, validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise read.invalid(f'an account is {{"owner": key, "data": [text, "base64"]}}: {error}') from None
        self._sim.ledger.set_account(key, kept(read.key(owner), data))
        return True
