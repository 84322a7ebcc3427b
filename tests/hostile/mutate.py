"""Byte mutants of real guests: the same ones for the same seed."""

import random

# bytes that mean something where they land: LEB128 limits, types, opcodes, section ids
SPECIAL = bytes((0x00, 0x01, 0x0B, 0x40, 0x41, 0x60, 0x63, 0x6C, 0x6F, 0x70, 0x7B, 0x7F, 0x80, 0xFC, 0xFD, 0xFE, 0xFF))


def mutant(guests: list[bytes], seed: int, number: int) -> bytes:
    """Mutant `number` of the series `seed`: one to eight changes to one of the guests.

    Three of four keep every length as it was, so that most of them get past the reading of sections to the code.
    """
    dice = random.Random(seed << 32 | number)
    wasm = bytearray(dice.choice(guests))
    is_shifting = number % 4 == 3
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
        # the first 500 bytes are types, imports, exports and memory
        at = dice.randrange(min(len(wasm), 500) if dice.random() < 0.2 else len(wasm))
        if is_shifting:
            _shift(wasm, at, dice)
            wasm = wasm or bytearray(1)
        elif dice.random() < 0.7:
            wasm[at] ^= 1 << dice.randrange(8)
        else:
            wasm[at] = dice.choice(SPECIAL)
    return bytes(wasm)


def _shift(wasm: bytearray, at: int, dice: random.Random) -> None:
    match dice.randrange(4):
        case 0:
            wasm[at:at] = dice.randbytes(dice.randrange(1, 5))
        case 1:
            del wasm[at : at + dice.randrange(1, 9)]
        case 2:
            del wasm[at:]
        case _:
            start = dice.randrange(len(wasm))
            wasm[at:at] = wasm[start : start + dice.randrange(1, 64)]
