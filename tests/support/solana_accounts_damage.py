"""Accounts damaged at random, and the judge: a damaged read is refused, or taken for what its bytes really say."""

import random
from collections.abc import Iterator

from connectors.amm.curve import QuoteError
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import ConfigError, PoolRefused
from connectors.venues.solana import keys, pools
from connectors.venues.solana.account import Account
from tests.support.solana_accounts_pools import ORCA_SPACINGS, World, key, orca_pool, raydium_pool, whole
from tests.support.solana_accounts_reference import orca_facts, raydium_facts, shown

KINDS = ("truncated", "longer", "bit", "byte", "field", "owner", "type", "exchanged", "closed", "emptied", "forgotten",
         "foreign", "zeroed")  # fmt: skip
FIELDS = (8, 12, 40, 41, 43, 44, 45, 47, 49, 51, 65, 81, 82, 101, 137, 165, 233, 235, 237, 253, 269, 389, 390, 904, 967,
          968, 1080, 1096, 1120, 9956, 10124)  # fmt: skip


def worlds(count: int, seed: int) -> list[tuple[PoolPlan, World]]:
    """Sound pools of both kinds, in turn; two neighbours of a kind have the same tokens."""
    made = []
    for number in range(count):
        rng, tokens = random.Random(f"{seed}/{number}"), number // 4
        if number % 2:
            made.append(whole(orca_pool(rng, seed=tokens, spacing=ORCA_SPACINGS[number // 2 % len(ORCA_SPACINGS)])))
        else:
            made.append(whole(raydium_pool(rng, seed=tokens, config_index=number)))
    return made


def damages(count: int, seed: int, sound: list[tuple[PoolPlan, World]]) -> Iterator[tuple[str, PoolPlan, World]]:
    """(kind, plan, accounts), of which one was damaged, or two exchanged."""
    rng = random.Random(seed)
    for number in range(count):
        place = rng.randrange(len(sound))
        plan, world = sound[place]
        kind = KINDS[number % len(KINDS)]
        near = sound[(place ^ 2) % len(sound)][1]
        yield kind, plan, _damaged(rng, kind, world, near if number % 3 else rng.choice(sound)[1])


def judge(plan: PoolPlan, world: World) -> str:
    """'refused' or 'made'; AssertionError for a state that the bytes do not say. Any other error is the caller's to
    see: there must be none."""
    try:
        curve = pools.state_of(plan, world)
    except PoolRefused as refused:
        reason = str(refused)
    else:
        facts = raydium_facts if plan.kind is PoolKind.RAYDIUM_CLMM else orca_facts
        assert shown(curve) == facts(plan.address, world)
        return "made"
    assert len(reason) > 15, f"a reason that says nothing: {reason}"
    return "refused"


def asked(plan: PoolPlan, world: World) -> None:
    """The other questions, of the same accounts: an answer, or one of our refusals."""
    for question in (pools.kind_of, pools.wanted, pools.plan_of, pools.mints_of, pools.vaults_of, pools.adaptive_fee):
        try:
            question(plan.address, world)
        except (PoolRefused, ConfigError):
            continue


def swapped(plan: PoolPlan, world: World) -> None:
    """A state that was made can be asked for a swap, or says why not."""
    curve = pools.state_of(plan, world)
    for i, j, amount in ((0, 1, 10**6), (1, 0, 10**9)):
        try:
            quote = curve.exact_in(i, j, amount)
        except QuoteError:
            continue
        assert quote.amount_in <= amount


def _damaged(rng: random.Random, kind: str, world: World, other: World) -> World:
    there = [each for each, account in world.items() if account is not None]
    where = rng.choice(there)
    account = world[where]
    assert account is not None
    owner, data, spot = account.owner, bytearray(account.data), rng.randrange(len(account.data))
    match kind:
        case "forgotten":
            return {each: kept for each, kept in world.items() if each != where}
        case "exchanged":
            return world | {where: world[twin], twin: account} if (twin := rng.choice(there)) else world
        case "foreign":
            same = [each for each in other.values() if each and each.data[:8] == account.data[:8]]
            return world | {where: rng.choice(same) if same else None}
        case "closed":
            return world | {where: None}
        case "emptied":
            return world | {where: Account(keys.SYSTEM, b"")}
        case "truncated":
            data = data[:spot]
        case "longer":
            data += rng.randbytes(rng.randrange(1, 300))
        case "bit":
            data[spot] ^= 1 << rng.randrange(8)
        case "byte":
            data[spot] = rng.randrange(256)
        case "field":
            data[min(rng.choice(FIELDS), len(data) - 1)] ^= 1 << rng.randrange(8)
        case "owner":
            owner = rng.choice(
                (key(rng.randrange(10**9)), keys.RAYDIUM, keys.ORCA, keys.TOKEN, keys.TOKEN_2022, keys.SYSTEM)
            )
        case "type":
            data[:8] = rng.choice((rng.randbytes(8), bytes(8), *(each.data[:8] for each in world.values() if each)))
        case _:
            data = bytearray(len(data))
    return world | {where: Account(owner, bytes(data))}
