"""The readers of Solana's accounts with one check gone or one field misread each.

`load(mutant)` gives the modules as the changed source defines them, under names of their own; nothing outside is
touched.
"""

# ruff: noqa: E501 - one mutant a line

import itertools
import sys
from types import CodeType, ModuleType, SimpleNamespace
from typing import Final, NamedTuple

from tests.support.data import ROOT

FOLDER: Final = ROOT / "connectors" / "venues" / "solana"
FILES: Final = ("account.py", "clock.py", "mint.py", "raydium_layout.py", "raydium_ticks.py", "orca_layout.py",
                "orca_ticks.py", "raydium.py", "orca.py", "pools.py")  # fmt: skip
_numbers = itertools.count()


class Mutant(NamedTuple):
    """`old` stands exactly once in `file`; with `new` instead, something wrong is let through."""

    name: str
    file: str
    old: str
    new: str


def _gone(file: str, *conditions: str) -> list[Mutant]:
    """The check under this condition never fires."""
    return [Mutant(f"{file}: no check of {each}", file, f"if {each}:", "if False:") for each in conditions]


MUTANTS: Final = [
    *_gone("account.py", "key not in accounts", "account is None", "account.owner != owner", "data[:8] != discriminator", "len(data) not in lengths"),
    Mutant("emptied is there", "account.py", "(account.owner == SYSTEM and not account.data)", "False"),
    *_gone("clock.py", "account.owner != SYSVAR or len(account.data) != _CLOCK.size", "clock.unix_timestamp < 0"),
    Mutant("clock of any program", "clock.py", "account.owner != SYSVAR or", ""),
    Mutant("clock of any length", "clock.py", "or len(account.data) != _CLOCK.size", ""),
    *_gone("mint.py", "account.owner not in (TOKEN, TOKEN_2022)", "number in numbers", "not number", "any(rest[at:])", "mint.refused"),
    Mutant("plain mint of any length", "mint.py", "account.owner == TOKEN or ", ""),
    Mutant("mint of any length", "mint.py", "or len(data) <= _TYPE_AT ", ""),
    Mutant("mint as long as a multisig", "mint.py", " or len(data) == _MULTISIG_LENGTH", ""),
    Mutant("mint not initialised", "mint.py", "initialized != 1 or ", ""),
    Mutant("mint with any authority", "mint.py", "authority > 1 or ", ""),
    Mutant("mint with any freezer", "mint.py", " or freezer > 1", ""),
    Mutant("any type is a mint's", "mint.py", "data[_TYPE_AT] != 1 or ", ""),
    Mutant("anything between mint and type", "mint.py", " or any(data[_BASE.size : _TYPE_AT])", ""),
    Mutant("extensions may break off", "mint.py", "len(value) != size or ", ""),
    Mutant("extensions of any length", "mint.py", " or size != _SIZES.get(number, size)", ""),
    Mutant("a fee to come does not count", "mint.py", "(newer,) if is_over else (older, newer)", "(newer,) if is_over else (older,)"),
    Mutant("a fee of now does not count", "mint.py", "(newer,) if is_over else (older, newer)", "(newer,)"),
    Mutant("an old fee counts for ever", "mint.py", "epoch >= newer.epoch", "epoch > newer.epoch + 10**9"),
    Mutant("fees are never taken", "mint.py", "return bool(self.most and self.bps)", "return False"),
    Mutant("frozen accounts can be paid", "mint.py", '"" if value[0] == _INITIALIZED else', '"" if value[0] else'),
    *_gone("mint.py", "number == _NON_TRANSFERABLE", "number in _HARMLESS"),
    Mutant("an average rate of old does not count", "mint.py", "if before or since else", "if since else"),
    Mutant("a rate does not count", "mint.py", "if before or since else", "if before else"),
    Mutant("a scale to come does not count", "mint.py", "(now, to_come) != (_ONE, _ONE)", "now != _ONE"),
    Mutant("a scale of now does not count", "mint.py", "(now, to_come) != (_ONE, _ONE)", "to_come != _ONE"),
    Mutant("hooks do nothing", "mint.py", "if any(value[32:]) else", "if False else"),
    Mutant("pauses do nothing", "mint.py", "if value[32] else", "if False else"),
    Mutant("unknown extensions pass", "mint.py", 'return f"its mint {name} has extension {number}, which is not known here"', 'return ""'),
    *_gone("raydium_layout.py", "status & ~_STATUS_KNOWN", "fee_on >= FEE_SIDES", "trade_fee >= MILLION"),
    Mutant("anything behind the fee side", "raydium_layout.py", "any(data[_PADDING_AT[0] : _PADDING_AT[1]]) or ", ""),
    Mutant("anything at the end", "raydium_layout.py", " or any(data[_DYNAMIC_AT + _DYNAMIC.size :])", ""),
    Mutant("padding of the dynamic fee alone", "raydium_layout.py", "any(data[_DYNAMIC_AT + _DYNAMIC.size :])", "any(data[_DYNAMIC_AT + _DYNAMIC.size : 1176])"),
    Mutant("end of the pool alone", "raydium_layout.py", "any(data[_DYNAMIC_AT + _DYNAMIC.size :])", "any(data[1176 :])"),
    *_gone("raydium_ticks.py", "tick != at or not -TICK_MAX <= tick <= TICK_MAX", "data[_COUNT_AT] != len(ticks)", "any(data[_TAIL_AT:])"),
    Mutant("ticks lie anywhere", "raydium_ticks.py", "tick != at or ", ""),
    Mutant("net above gross", "raydium_ticks.py", "abs(net) > gross or ", ""),
    Mutant("anything behind a tick", "raydium_ticks.py", " or padding != _NO_PADDING", ""),
    Mutant("net without gross", "raydium_ticks.py", "elif low or high:", "elif False:"),
    Mutant("orders alone make no tick", "raydium_ticks.py", "if gross_low or gross_high or orders or part:", "if gross_low or gross_high:"),
    *_gone("raydium.py", "not found.spacing", "bytes_of(found.mints[0]) >= bytes_of(found.mints[1])", "fees.spacing != found.spacing",
           "found.status & STATUS_SWAP", "clock.unix_timestamp <= found.open_time", "extension.pool != address", "raydium_pool(found.config, *found.mints, found.seed_index) != address",
           "bits & ~_possible(found.spacing)", "not low <= max(found.tick, MIN_TICK) <= high", "not array.ticks"),
    Mutant("one mint twice", "raydium.py", "bytes_of(found.mints[0]) >= bytes_of(found.mints[1])", "bytes_of(found.mints[0]) > bytes_of(found.mints[1])"),
    Mutant("open a second early", "raydium.py", "clock.unix_timestamp <= found.open_time", "clock.unix_timestamp < found.open_time"),
    Mutant("price at any end", "raydium.py", "RAYDIUM.min_sqrt <= price <= RAYDIUM.max_sqrt and ", ""),
    Mutant("tick above its price", "raydium.py", "RAYDIUM.sqrt_at(tick) <= price", "True"),
    Mutant("tick below its price", "raydium.py", " or (tick < MAX_TICK and price > RAYDIUM.sqrt_at(tick + 1))", ""),
    Mutant("price never checked", "raydium.py", "    _check_price(found)\n", ""),
    Mutant("array of any pool", "raydium.py", "array.pool != address or ", ""),
    Mutant("array of any start", "raydium.py", " or array.start != start", ""),
    Mutant("closed means open", "raydium_layout.py", "status=status", "status=0"),
    Mutant("opened by the epoch", "raydium_layout.py", "open_time, recent_epoch = _TIMES", "recent_epoch, open_time = _TIMES"),
    Mutant("bits in the other order", "raydium_layout.py", '_BITMAP_AT[1]], "little")', '_BITMAP_AT[1]], "big")'),
    Mutant("no pool is permissioned", "raydium_layout.py", "seed_index=seed_index", "seed_index=0"),
    Mutant("half a liquidity", "raydium_layout.py", "liquidity=low | high << 64", "liquidity=low"),
    Mutant("the protocol's share as the fee", "raydium_layout.py", "AmmConfig(index, protocol_fee, trade_fee,", "AmmConfig(index, trade_fee, protocol_fee,"),
    Mutant("no fee follows volatility", "raydium_layout.py", "Volatility(*dynamic) if any(dynamic) else None", "None"),
    Mutant("the extension's sides exchanged", "raydium_ticks.py", "extension.below | extension.above", "extension.above | extension.below"),
    Mutant("rows below the wrong way round", "raydium_ticks.py", 'b"".join(reversed(rows))', 'b"".join(rows)'),
    Mutant("part filled orders as whole ones", "raydium.py", "tick.orders, tick.part_filled)", "tick.part_filled, tick.orders)"),
    Mutant("the extension is let be", "raydium.py", "_extension(address, found, accounts))\n    if bits", "None)\n    if bits"),
    Mutant("a missing array is passed over upwards", "raydium.py", "            high = number * size - 1\n            break", "            continue"),
    Mutant("the protocol's share as Orca's fee", "orca_layout.py", "fee_ppm=fee,", "fee_ppm=protocol,"),
    Mutant("half a liquidity, Orca", "orca_layout.py", "liquidity=low | high << 64", "liquidity=low"),
    Mutant("half a price, Orca", "orca_layout.py", "sqrt_price_x64=sqrt_low | sqrt_high << 64", "sqrt_price_x64=sqrt_low"),
    Mutant("vaults for mints", "orca_layout.py", "mint_a, vault_a, mint_b, vault_b = map", "vault_a, mint_a, vault_b, mint_b = map"),
    Mutant("spacing for a fee tier", "orca_layout.py", "fee_tier_index=index", "fee_tier_index=spacing"),
    *_gone("orca_ticks.py", "account.data[:8] == DYNAMIC"),
    Mutant("flags of any kind", "orca_ticks.py", "elif flag or low", "elif low"),
    Mutant("gross without a flag", "orca_ticks.py", "elif flag or low or high or gross_low or gross_high:", "elif flag:"),
    Mutant("a flag without gross", "orca_ticks.py", "not gross or ", ""),
    Mutant("net above gross, Orca", "orca_ticks.py", "abs(net) > gross or ", ""),
    Mutant("ticks beyond the outermost", "orca_ticks.py", " or not -TICK_MAX <= tick <= TICK_MAX", ""),
    Mutant("tags of any kind", "orca_ticks.py", "elif tag:", "elif False:"),
    Mutant("bitmap of any ticks", "orca_ticks.py", "bitmap != bits_low | bits_high << 64 or ", ""),
    Mutant("anything behind the ticks", "orca_ticks.py", " or any(data[at:])", ""),
    Mutant("bitmap of 64 ticks", "orca_ticks.py", "bits_low | bits_high << 64", "bits_low | bitmap >> 64 << 64"),
    *_gone("orca.py", "not found.spacing", "bytes_of(found.mints[0]) >= bytes_of(found.mints[1])", "found.pool != address", "orca_pool(found.config, *found.mints, found.fee_tier_index) != address",
           "adaptive is not None or found.fee_tier_index != found.spacing", "not read"),
    Mutant("adaptive without an oracle", "orca.py", " or found.fee_tier_index != found.spacing", ""),
    Mutant("oracles are let be", "orca.py", "adaptive is not None or ", ""),
    Mutant("price at any end, Orca", "orca.py", "ORCA.min_sqrt <= price <= ORCA.max_sqrt and ", ""),
    Mutant("tick above its price, Orca", "orca.py", "ORCA.sqrt_at(tick) <= price", "True"),
    Mutant("tick below its price, Orca", "orca.py", " or (tick < MAX_TICK and price > ORCA.sqrt_at(tick + 1))", ""),
    Mutant("array of any pool, Orca", "orca.py", "array.pool != address or ", ""),
    Mutant("array of any start, Orca", "orca.py", " or array.start != start", ""),
    *_gone("pools.py", "kind is None", "kind is not pool.kind", "mints != planned", "pool.fee_ppm not in (0, curve.fee_ppm)", "found", "why",
           "not curve.liquidity and not entries", "not 0 <= left < LIQUIDITY_END", "is_end and left"),
    Mutant("decimals of any plan", "pools.py", "kept.decimals != token.decimals or ", ""),
    Mutant("decimals of any pool", "pools.py", " or said not in (None, kept.decimals)", ""),
]  # fmt: skip


def load(mutant: Mutant | None) -> SimpleNamespace:
    """The modules of a copy with `mutant`'s change in it, by name."""
    package = f"solana_mutant_{next(_numbers)}"
    made: dict[str, ModuleType] = {}
    sys.modules[package] = made[""] = ModuleType(package)
    try:
        for file in FILES:
            name = file.removesuffix(".py")
            module = ModuleType(f"{package}.{name}")
            sys.modules[module.__name__] = made[name] = module
            setattr(made[""], name, module)
            exec(_code(package, file, mutant if mutant and mutant.file == file else None), module.__dict__)  # noqa: S102 - our own source
    finally:
        for name in made:
            del sys.modules[f"{package}.{name}" if name else package]
    return SimpleNamespace(**{name: module for name, module in made.items() if name})


def _code(package: str, file: str, mutant: Mutant | None) -> CodeType:
    source = (FOLDER / file).read_text()
    if mutant is not None:
        assert source.count(mutant.old) == 1, f"{mutant.name}: {mutant.old!r} stands {source.count(mutant.old)} times"
        source = source.replace(mutant.old, mutant.new)
    for other in FILES:
        name = other.removesuffix(".py")
        source = source.replace(f"from connectors.venues.solana.{name} import", f"from {package}.{name} import")
    source = source.replace("from connectors.venues.solana import", f"from {package} import")
    return compile(source, f"{package}/{file}", "exec")
