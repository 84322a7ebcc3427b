"""Every field of every account, written in borsh's way by the published layouts and read at our offsets."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.raydium_fee import Volatility
from connectors.venues.solana import keys, orca_layout, orca_ticks, raydium_layout, raydium_ticks
from connectors.venues.solana.account import Account
from connectors.venues.solana.clock import Clock, clock_of
from tests.support.solana_accounts import account, clock, read, written
from tests.support.solana_accounts_pools import key

KEYS = st.binary(min_size=32, max_size=32).map(keys.text_of)


def numbers(kind: str) -> st.SearchStrategy[int]:
    bits = int(kind[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if kind[0] == "i" else (0, (1 << bits) - 1)
    return st.integers(low, high) | st.sampled_from((low, high, 0, 1))


U8, U16, U32, U64, U128, I32, I128 = map(numbers, ("u8", "u16", "u32", "u64", "u128", "i32", "i128"))
DYNAMIC = ("filter_period", "decay_period", "reduction_factor", "dynamic_fee_control", "max_volatility_accumulator",
           "tick_spacing_index_reference", "volatility_reference", "volatility_accumulator",
           "last_update_timestamp")  # fmt: skip
POOL_STATE = st.fixed_dictionaries(
    {
        "bump": st.tuples(U8), "amm_config": KEYS, "owner": KEYS, "token_mint0": KEYS, "token_mint1": KEYS,
        "token_vault0": KEYS, "token_vault1": KEYS, "observation_key": KEYS, "mint_decimals0": U8,
        "mint_decimals1": U8, "tick_spacing": U16, "liquidity": U128, "sqrt_price_x64": U128, "tick_current": I32,
        "padding3": U16, "padding4": U16, "fee_growth_global0_x64": U128, "fee_growth_global1_x64": U128,
        "protocol_fees_token0": U64, "protocol_fees_token1": U64, "padding5": st.tuples(U128, U128, U128, U128),
        "status": st.integers(0, 63), "fee_on": st.integers(0, 2), "seed_index": st.tuples(U8, U8),
        "reward_infos": st.tuples(st.fixed_dictionaries({"reward_state": U8, "open_time": U64, "token_mint": KEYS,
                                                         "authority": KEYS, "reward_growth_global_x64": U128})),
        "tick_array_bitmap": st.tuples(*[U64] * 16), "padding6": st.tuples(U64, U64, U64, U64),
        "fund_fees_token0": U64, "fund_fees_token1": U64, "open_time": U64, "recent_epoch": U64,
        "dynamic_fee_info": st.fixed_dictionaries(dict(zip(DYNAMIC, (U16, U16, U16, U32, U32, I32, U32, U32, U64),
                                                           strict=True))),
    }
)  # fmt: skip


@given(POOL_STATE)
def test_a_raydium_pool(values: dict[str, Any]) -> None:
    found = raydium_layout.pool_of(account("PoolState", values))
    dynamic = tuple(values["dynamic_fee_info"][name] for name in DYNAMIC)
    assert found == raydium_layout.PoolState(
        config=values["amm_config"],
        mints=(values["token_mint0"], values["token_mint1"]),
        vaults=(values["token_vault0"], values["token_vault1"]),
        decimals=(values["mint_decimals0"], values["mint_decimals1"]),
        spacing=values["tick_spacing"],
        liquidity=values["liquidity"],
        sqrt_price_x64=values["sqrt_price_x64"],
        tick=values["tick_current"],
        status=values["status"],
        fee_on=values["fee_on"],
        seed_index=values["seed_index"][0] | values["seed_index"][1] << 8,
        bitmap=sum(word << 64 * at for at, word in enumerate(values["tick_array_bitmap"])),
        open_time=values["open_time"],
        recent_epoch=values["recent_epoch"],
        volatility=Volatility(*dynamic) if any(dynamic) else None,
    )


@given(U16, st.tuples(U32, st.integers(0, 10**6 - 1), U16, U32))
def test_an_amm_config(index: int, terms: tuple[int, int, int, int]) -> None:
    names = ("protocol_fee_rate", "trade_fee_rate", "tick_spacing", "fund_fee_rate")
    values = {"bump": 3, "index": index, "owner": key(1), "fund_owner": key(2), "padding": [7, 8, 9]}
    found = raydium_layout.config_of(account("AmmConfig", values | dict(zip(names, terms, strict=True))))
    assert found == raydium_layout.AmmConfig(index, *terms)


@given(st.integers(1, 100), st.integers(-70, 70), st.lists(st.tuples(st.integers(0, 59), U128, U64, U64, U64, U128)))
def test_a_raydium_tick_array(spacing: int, number: int, held: list[tuple[int, int, int, int, int, int]]) -> None:
    start = number * 60 * spacing
    ticks: list[dict[str, int]] = [{} for _ in range(60)]
    for place, gross, phase, orders, part, ratio in held:
        net = gross // 3 if place % 2 else -(gross // 2)
        ticks[place] = {"tick": start + place * spacing, "liquidity_net": net, "liquidity_gross": gross,
                        "order_phase": phase, "orders_amount": orders, "part_filled_orders_remaining": part,
                        "unfilled_ratio_x64": ratio, "fee_growth_outside1_x64": ratio}  # fmt: skip
    names = ("liquidity_gross", "orders_amount", "part_filled_orders_remaining")
    holding = [tick for tick in ticks if any(tick.get(name) for name in names)]
    values = {"pool_id": key(3), "start_tick_index": start, "ticks": ticks, "initialized_tick_count": len(holding),
              "recent_epoch": 2**64 - 1}  # fmt: skip
    found = raydium_ticks.array_of(account("TickArrayState", values), spacing)
    assert found == raydium_ticks.TickArray(
        key(3),
        start,
        {
            tick["tick"]: raydium_ticks.TickState(
                tick["liquidity_net"],
                tick["liquidity_gross"],
                tick["order_phase"],
                tick["orders_amount"],
                tick["part_filled_orders_remaining"],
                tick["unfilled_ratio_x64"],
            )
            for tick in holding
        },
    )


@given(st.sets(st.integers(-7680, 7679), max_size=30), st.integers(-7680, 7679))
def test_bits_of_arrays(numbered: set[int], here: int) -> None:
    """The program's own words for row and bit: starts, their distance from 0, and what is left of it in a row."""
    pool = sum(1 << number + 512 for number in numbered if -512 <= number < 512)
    rows = {side: [[0] * 8 for _ in range(14)] for side in ("positive", "negative")}
    for number in numbered:
        if -512 <= number < 512:
            continue
        row, offset = divmod(abs(number), 512)
        row -= 1 + (number < 0 and not offset)
        bit = (512 - offset) % 512 if number < 0 else offset
        rows["positive" if number >= 0 else "negative"][row][bit // 64] |= 1 << bit % 64
    fields = {f"{side}_tick_array_bitmap": words for side, words in rows.items()}
    extension = raydium_ticks.extension_of(account("TickArrayBitmapExtension", {"pool_id": key(4), **fields}))
    assert extension.pool == key(4)
    bits = raydium_ticks.initialised(pool, extension)
    assert list(raydium_ticks.below(bits, here)) == sorted((n for n in numbered if n <= here), reverse=True)
    assert list(raydium_ticks.above(bits, here)) == sorted(n for n in numbered if n >= here)
    alone = raydium_ticks.initialised(pool, None)
    assert list(raydium_ticks.above(alone, -9000)) == sorted(n for n in numbered if -512 <= n < 512)


def test_bits_that_the_programs_own_tests_name() -> None:
    """`flip_tick_array_bit_test` of the program: which bit of which row an array is."""
    for number, side, row, bit in ((512, "positive", 0, 0), (513, "positive", 0, 1), (7393, "positive", 13, 225),
                                   (-513, "negative", 0, 511), (-514, "negative", 0, 510), (-1024, "negative", 0, 0),
                                   (-7394, "negative", 13, 286)):  # fmt: skip
        words = [[0] * 8 for _ in range(14)]
        words[row][bit // 64] = 1 << bit % 64
        made = account("TickArrayBitmapExtension", {"pool_id": key(4), f"{side}_tick_array_bitmap": words})
        bits = raydium_ticks.initialised(0, raydium_ticks.extension_of(made))
        assert list(raydium_ticks.above(bits, -10_000)) == [number]


@given(KEYS, KEYS, KEYS, KEYS, KEYS, st.tuples(U16, U16, U16, U16, U128, U128, I32))
def test_a_whirlpool(config: str, a: str, b: str, vault_a: str, vault_b: str, terms: tuple[int, ...]) -> None:
    spacing, index, fee, protocol, liquidity, price, tick = terms
    values = {
        "whirlpools_config": config, "whirlpool_bump": [1], "tick_spacing": spacing,
        "fee_tier_index_seed": list(index.to_bytes(2, "little")), "fee_rate": fee, "protocol_fee_rate": protocol,
        "liquidity": liquidity, "sqrt_price": price, "tick_current_index": tick, "protocol_fee_owed_a": 2**64 - 1,
        "token_mint_a": a, "token_vault_a": vault_a, "token_mint_b": b, "token_vault_b": vault_b,
        "fee_growth_global_a": 2**128 - 1, "reward_infos": [{"mint": config, "extension": [1] * 32}],
    }  # fmt: skip
    assert orca_layout.pool_of(account("Whirlpool", values)) == orca_layout.WhirlpoolState(
        config, spacing, index, fee, protocol, liquidity, price, tick, (a, b), (vault_a, vault_b)
    )


@given(U64, st.tuples(U16, U16, U16, U32, U32, U16, U16), st.tuples(U64, U64, U32, I32, U32))
def test_an_oracle(enabled: int, constants: tuple[int, ...], variables: tuple[int, ...]) -> None:
    names = ("filter_period", "decay_period", "reduction_factor", "adaptive_fee_control_factor",
             "max_volatility_accumulator", "tick_group_size", "major_swap_threshold_ticks")  # fmt: skip
    more = ("last_reference_update_timestamp", "last_major_swap_timestamp", "volatility_reference",
            "tick_group_index_reference", "volatility_accumulator")  # fmt: skip
    values = {
        "whirlpool": key(5),
        "trade_enable_timestamp": enabled,
        "adaptive_fee_constants": dict(zip(names, constants, strict=True)) | {"reserved": [3] * 16},
        "adaptive_fee_variables": dict(zip(more, variables, strict=True)) | {"reserved": [4] * 16},
        "reserved": [5] * 128,
    }
    found = orca_layout.oracle_of(account("Oracle", values))
    assert found == orca_layout.Oracle(key(5), enabled, *constants, *variables)


@given(st.integers(1, 57), st.integers(-88, 87), st.dictionaries(st.integers(0, 87), U128.filter(bool)), st.booleans())
def test_an_orca_tick_array(spacing: int, number: int, held: dict[int, int], is_dynamic: bool) -> None:
    start = number * 88 * spacing
    states: dict[int, dict[str, Any]] = {
        place: {"liquidity_net": (gross % (1 << 127)) * (1 - place % 2 * 2) // 2, "liquidity_gross": gross,
                "fee_growth_outside_a": gross, "reward_growths_outside": [1, 2, gross]}
        for place, gross in held.items()
        if abs(start + place * spacing) <= 443_636
    }  # fmt: skip
    common = {"start_tick_index": start, "whirlpool": key(6)}
    if is_dynamic:
        ticks: list[Any] = [{"initialized": states.get(place)} for place in range(88)]
        made = account("DynamicTickArray", {**common, "ticks": ticks, "tick_bitmap": sum(1 << at for at in states)})
        assert len(made.data) == 148 + 112 * len(states)
    else:
        ticks = [{"initialized": True, **states[place]} if place in states else None for place in range(88)]
        made = account("TickArray", {**common, "ticks": ticks})
    for found in (made, Account(made.owner, made.data + bytes(112))) if is_dynamic and len(states) < 87 else (made,):
        assert orca_ticks.array_of(found, spacing) == orca_ticks.TickArray(
            key(6),
            start,
            {
                start + place * spacing: (state["liquidity_net"], state["liquidity_gross"])
                for place, state in sorted(states.items())
            },
        )


@given(U64, st.integers(0, 2**63 - 1), U64)
def test_the_clock(slot: int, second: int, epoch: int) -> None:
    found = clock_of({keys.CLOCK: clock(slot, second, epoch % 2**63)})
    assert found == Clock(slot, 0, epoch % 2**63, epoch % 2**63 + 1, second)


def test_lengths_that_chains_have() -> None:
    """Of the accounts recorded, and of those that DEX.md names."""
    lengths = {name: len(account(name, {}).data) for name in
               ("PoolState", "AmmConfig", "TickArrayState", "TickArrayBitmapExtension", "Whirlpool", "TickArray",
                "DynamicTickArray", "Oracle")}  # fmt: skip
    assert lengths == {
        "PoolState": 1544, "AmmConfig": 117, "TickArrayState": 10240, "TickArrayBitmapExtension": 1832,
        "Whirlpool": 653, "TickArray": 9988, "DynamicTickArray": 148, "Oracle": 254,
    }  # fmt: skip


@given(POOL_STATE)
def test_the_writer_reads_what_it_wrote(values: dict[str, Any]) -> None:
    found = read("PoolState", account("PoolState", values).data)
    assert written("PoolState", found) == written("PoolState", values)
