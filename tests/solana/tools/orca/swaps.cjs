// Answers questions about Whirlpools with npm's @orca-so/whirlpools-core: JSON lines in, JSON lines out, one for one.
// Run with the working directory in the folder that holds node_modules. Integers travel as decimal texts.
//
// {"pool": {"spacing", "fee", "liquidity", "price", "tick"}, "swaps": [{"arrays": {start: {place: net}}, "a_to_b",
//  "exact_out", "amount"}, …]} → [[in, out] or {"error": text}, …]
// {"sqrt_at": [tick, …]} → [price, …]        {"tick_at": [price, …]} → [tick, …]
'use strict'

const orca = require(require.resolve('@orca-so/whirlpools-core', { paths: [process.cwd()] }))

const TICKS = 88
const EMPTY = {
  initialized: false, liquidityNet: 0n, liquidityGross: 0n, feeGrowthOutsideA: 0n, feeGrowthOutsideB: 0n,
  rewardGrowthsOutside: [0n, 0n, 0n],
}

function array(start, nets) {
  const ticks = new Array(TICKS).fill(EMPTY)
  for (const [place, net] of Object.entries(nets)) {
    ticks[Number(place)] = { ...EMPTY, initialized: true, liquidityNet: BigInt(net) }
  }
  return { startTickIndex: Number(start), ticks }
}

function whirlpool(pool) {
  return {
    tickSpacing: pool.spacing, feeRate: pool.fee, protocolFeeRate: 0, liquidity: BigInt(pool.liquidity),
    sqrtPrice: BigInt(pool.price), tickCurrentIndex: pool.tick, feeGrowthGlobalA: 0n, feeGrowthGlobalB: 0n,
    rewardLastUpdatedTimestamp: 0n,
    rewardInfos: new Array(3).fill({ emissionsPerSecondX64: 0n, growthGlobalX64: 0n }),
  }
}

function swap(pool, asked) {
  const arrays = Object.entries(asked.arrays).map(([start, nets]) => array(start, nets))
  const amount = BigInt(asked.amount)
  try {
    if (asked.exact_out) { // here the flag names the token that comes out
      const quote = orca.swapQuoteByOutputToken(amount, !asked.a_to_b, 0, whirlpool(pool), arrays)
      return [String(quote.tokenEstIn), String(quote.tokenOut)]
    }
    const quote = orca.swapQuoteByInputToken(amount, asked.a_to_b, 0, whirlpool(pool), arrays)
    return [String(quote.tokenIn), String(quote.tokenEstOut)]
  } catch (error) {
    return { error: String(error) }
  }
}

function answer(question) {
  if (question.sqrt_at) return question.sqrt_at.map((tick) => String(orca.tickIndexToSqrtPrice(tick)))
  if (question.tick_at) return question.tick_at.map((price) => orca.sqrtPriceToTickIndex(BigInt(price)))
  return question.swaps.map((asked) => swap(question.pool, asked))
}

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + '\n')
})
