"""Secrets: read by reference, never shown, put into bytes last and taken out of them first.

Only the doors (`net.py`, `rest.py`) hold a `Vault`. Everything else, tape and journal included, sees `{secret:NAME}`.
"""

import hmac
import re
from collections import deque
from collections.abc import Mapping
from typing import Final, NoReturn, Protocol, final
from urllib.parse import quote

KEY: Final = "key"
SIGNS: Final = "secret"  # the name of the one that signs
SECRET_CHARS_MIN: Final = 8  # a shorter one would be found, and replaced, where it is not meant
SECRET_CHARS_MAX: Final = 4096
_FORMER_MAX: Final = 8
_PLACE: Final = re.compile(rb"\{secret:([A-Za-z0-9_.-]{1,64})\}")
_ALIKE: Final = re.compile("[A-Za-z0-9]+")  # written by everybody as it is
_FIT: Final = re.compile(r'[^\x00-\x20"\\{}\x7f-\U0010ffff]+')  # stands in JSON, a form and a header as it is


@final
class Secret:
    """A text that only `reveal` gives. It cannot be printed, formatted, copied, pickled or hashed; `==` takes as long
    for a wrong one as for the right one."""

    __slots__ = ("_probe", "_value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str) -> None:
        self._value = value
        self._probe = max(_ALIKE.findall(value), key=len, default="").encode()

    def may_be_in(self, data: bytes) -> bool:
        """Whether what every form of it has in common stands there: a quick no."""
        return self._probe in data

    def reveal(self) -> str:
        """The text itself, for the door that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __format__(self, _spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def _refuse(self, *_given: object) -> NoReturn:
        raise TypeError("a secret is not copied, and not written anywhere")

    __copy__ = __deepcopy__ = __reduce__ = __reduce_ex__ = __getstate__ = _refuse


class Nonces(Protocol):
    """Where a key's nonces come from; `keylock.KeyLock` is the real one."""

    def next(self) -> int:
        """Greater than any before, of whichever process. Raises OSError where that cannot be promised any more."""

    def release(self) -> None:
        """The key may be taken by another process."""


class Vault:
    """The secrets of one venue by name: `key`, `secret`, and what the venue itself told (`token`).

    `secret` signs and is never put into a message. `nonces`: None where nothing is signed.
    """

    def __init__(self, secrets: Mapping[str, str], nonces: Nonces | None = None) -> None:
        """Raises ValueError as `put` does."""
        self._secrets: dict[str, Secret] = {}
        self._former: deque[Secret] = deque(maxlen=_FORMER_MAX)
        self._nonces = nonces
        for name, value in secrets.items():
            self.put(name, value)

    def __repr__(self) -> str:
        return f"Vault({', '.join(sorted(self._secrets))})"

    def put(self, name: str, value: str) -> None:
        """A new value; the former ones are hidden for a while still. Raises ValueError, without it, if it is not fit.

        Fit are 8 to 4,096 characters that stand for themselves wherever they are put: no space, quote, backslash, brace
        or anything beyond ASCII; of the one that signs, which is put nowhere, any of ASCII: some are PEM files. What is
        not fit is hidden nevertheless.
        """
        if not value:
            raise ValueError(f"{name} is empty")
        new = Secret(value)
        is_fit = value.isascii() if name == SIGNS and "PRIVATE KEY" in value else bool(_FIT.fullmatch(value))
        if not SECRET_CHARS_MIN <= len(value) <= SECRET_CHARS_MAX or not is_fit:
            self._former.append(new)
            raise ValueError(f"{name} is not of {SECRET_CHARS_MIN} or more printable characters without spaces")
        before = self._secrets.get(name)
        if before is not None and before != new:
            self._former.append(before)
        self._secrets[name] = new

    def get(self, name: str) -> Secret | None:
        return self._secrets.get(name)

    def signing(self) -> dict[str, str] | None:
        """Every secret by its name, for whoever signs at the door; None while there is no key."""
        if KEY not in self._secrets or SIGNS not in self._secrets:
            return None
        return {name: secret.reveal() for name, secret in self._secrets.items()}

    def fill(self, data: bytes) -> bytes | None:
        """`data` with the secrets in their places; None when one is not known, or is `secret`, which only signs."""
        if b"{secret:" not in data:
            return data
        missing = False

        def value(place: re.Match[bytes]) -> bytes:
            nonlocal missing
            name = place[1].decode()
            secret = self._secrets.get(name)
            if secret is None or name == SIGNS:
                missing = True
                return b""
            return secret.reveal().encode()

        filled = _PLACE.sub(value, data)
        return None if missing else filled

    def hide(self, data: bytes) -> bytes:
        """`data` with every known value as `{secret:NAME}`, or as `{secret:former}`; as it is, or as JSON and URLs
        write it."""
        known = [*self._secrets.items(), *(("former", secret) for secret in self._former)]
        found = [(name, secret) for name, secret in known if secret.may_be_in(data)]
        for name, secret in sorted(found, key=lambda one: -len(one[1].reveal())):
            for form in _forms(secret.reveal()):
                if form in data:
                    data = data.replace(form, b"{secret:%s}" % name.encode())
        return data

    def nonce(self) -> int:
        """Strictly rising. Raises OSError where there is none."""
        if self._nonces is None:
            raise OSError("no key is held")
        return self._nonces.next()

    def close(self) -> None:
        """Forgets everything and gives the key up."""
        self._secrets.clear()
        self._former.clear()
        if self._nonces is not None:
            self._nonces.release()
            self._nonces = None


def _forms(value: str) -> set[bytes]:
    """How a text may stand in an answer."""
    texts = {
        value,
        value.replace("/", "\\/"),
        quote(value, safe=""),
        quote(value, safe="/"),
        value.replace("\n", "\\n"),
    }
    return {text.encode() for text in texts}
