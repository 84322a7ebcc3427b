"""Text that others wrote, made fit for a terminal: a tape, module, log line or name may hold escape sequences."""


def plain(text: str, keep: str = "") -> str:
    r"""`text` with everything that is not printable as \xNN, \uNNNN or \UNNNNNNNN; characters in `keep` stay.

    Control characters could clear the screen, retitle the window or rewrite the line above; marks of direction, another
    class that is not printable, could show a text in an order other than its own.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _escaped(ord(one)) for one in text)


def _escaped(number: int) -> str:
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def plain_bytes(text: bytes) -> str:
    r"""What a guest wrote, as one line: a line feed as `\n`, everything else as in `plain`."""
    return plain(text.decode(errors="replace").replace("\n", "\\n"))
