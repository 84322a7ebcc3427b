"""Every error venuegate raises on purpose, sorted by what the caller does next.

```
VenuegateError
├── InputError            the user mends something and starts again; the text names place, value and mend
│   ├── ConfigError       gateway.toml, a limits file, an environment variable, a CLI option
│   ├── TapeError         a recording that cannot be read or does not fit what it is replayed with
│   ├── ModuleError       a guest that cannot be loaded
│   ├── InstrumentError   tick, lot or precision does not fit the guest's scales
│   └── PluginError       a venue entry point that is unusable or collides with another
├── BookGap               one book is no longer what the venue has: drop it, resubscribe it, go on
├── WireError             bytes from a venue that cannot be explained
│   └── NumberError       a number that cannot be held exactly
├── QuoteError            this pool cannot do that: not enough in it, or an amount it refuses
│   └── Beyond            the answer lies outside the part of its state that was read: read more, ask again
├── PoolRefused           a pool's contract is not what the plan says, or not one that can be quoted: do not show it
├── Unpublishable         no book can be made of this pool, or of these pools, now
└── GuestFault            a guest trapped, ran out of fuel or handed over a bad pointer: disable that instance
```
Nothing below `InputError` ever reaches a user as a traceback; nothing here is used for control flow within one file.
"""


class VenuegateError(Exception):
    """Root of the tree."""


class InputError(VenuegateError):
    """A person can mend this. `place`: where it was read; `mend`: what to do about it."""

    def __init__(self, problem: str, *, place: str = "", mend: str = "") -> None:
        self.problem = problem
        self.place = place
        self.mend = mend
        text = f"{place}: {problem}" if place else problem
        super().__init__(f"{text}\n  mend: {mend}" if mend else text)


class ConfigError(InputError):
    """A setting is missing, unknown or out of range."""


class TapeError(InputError):
    """A tape or foreign recording cannot be used as asked."""


class ModuleError(InputError):
    """A WASM module cannot be hosted."""


class InstrumentError(InputError):
    """An instrument cannot be represented exactly at the guest's scales."""


class PluginError(InputError):
    """A venue plugin cannot be used."""


class BookGap(VenuegateError):  # noqa: N818 - the field's word for it, and the name in HOUSE §4
    """The book differs from the venue's. `reason` is a short stable word, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class WireError(VenuegateError):
    """Bytes from a venue that are not what its documentation promises."""


class NumberError(WireError):
    """A number's text cannot be held exactly at the scale asked for."""


class QuoteError(VenuegateError):
    """A pool cannot do that swap: not enough in it, an amount it refuses, or beyond the part of its state we hold."""


class Beyond(QuoteError):  # noqa: N818 - what was asked lies beyond the known part of the state
    """The answer needs ticks outside the range that was read: read more, then ask again."""


class PoolRefused(VenuegateError):  # noqa: N818 - a state of the pool, no fault of ours
    """This pool is not shown; the text is the reason."""


class Unpublishable(VenuegateError):  # noqa: N818 - a state of the pool, no fault of ours
    """No book can be made of this pool now. `reason` is a short stable sentence, `detail` says what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class GuestFault(VenuegateError):  # noqa: N818 - a fault is the guest's, not an error of ours
    """A guest broke its contract.

    `kind`: trap, fuel, pointer, count, alignment, message, error; of Python algos: exception, action, message, return,
    interrupted.
    """

    def __init__(self, kind: str, detail: str) -> None:
        self.kind = kind
        self.detail = detail
        super().__init__(f"{kind}: {detail}")
