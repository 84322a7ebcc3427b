// One swap a line on standard input as JSON, the SDK's answer a line on standard output. All numbers are decimal text.
//
// in:  {sqrt, tick, liquidity, spacing, fee, fee_on, now, ticks: [[tick, net, gross, orders, part, phase, ratio]],
//       volatility: null | [filter, decay, reduction, control, max, index, reference, accumulator, updated],
//       amount, exact_out, down}
// out: {in, out, sqrt, tick, liquidity, orders: [[tick, orders, part, phase, ratio]] of ticks that changed,
//       volatility: null | [index, reference, accumulator, updated]}
//      or {no: why}; "endless" where the SDK would go round for ever
// Usage: node swaps.cjs FOLDER, where FOLDER/node_modules holds the SDK.
"use strict";
const path = require("node:path");
const readline = require("node:readline");
const own = require("node:module").createRequire(path.join(process.argv[2], "package.json"));
const { swapInternal } = own("@raydium-io/raydium-sdk-v2");
const BN = own("bn.js");

const ARRAY = 60;
const LOOKS = 20000;
const big = (text) => new BN(text, 10);

function arraysOf(ask, looks) {
  const span = ARRAY * ask.spacing;
  const found = new Map();
  for (const [tick, net, gross, orders, part, phase, ratio] of ask.ticks) {
    const start = Math.floor(tick / span) * span;
    if (!found.has(start)) {
      const blank = (at) => ({
        tick: at, liquidityNet: big("0"), liquidityGross: big("0"), ordersAmount: big("0"),
        partFilledOrdersRemaining: big("0"), orderPhase: big("0"), unfilledRatioX64: big("0"),
      });
      found.set(start, Array.from({ length: ARRAY }, (_, i) => blank(start + i * ask.spacing)));
    }
    Object.assign(found.get(start)[(tick - start) / ask.spacing], {
      liquidityNet: big(net), liquidityGross: big(gross), ordersAmount: big(orders),
      partFilledOrdersRemaining: big(part), orderPhase: big(phase), unfilledRatioX64: big(ratio),
    });
  }
  const mine = Math.floor(ask.tick / span) * span;
  const ahead = [...found.keys()].filter((start) => (ask.down ? start <= mine : start >= mine));
  ahead.sort((a, b) => (ask.down ? b - a : a - b));
  return ahead.map((start) => {
    const ticks = found.get(start);
    const value = { startTickIndex: start };
    Object.defineProperty(value, "ticks", {
      get() {
        if (++looks.count > LOOKS) throw Error("endless");
        return ticks;
      },
    });
    return { address: start, value, ticks };
  });
}

const NAMES = [
  "filterPeriod", "decayPeriod", "reductionFactor", "dynamicFeeControl", "maxVolatilityAccumulator",
  "tickSpacingIndexReference", "volatilityReference", "volatilityAccumulator",
];

function answer(ask) {
  const given = ask.volatility ?? Array(9).fill(0);
  const dynamicFeeInfo = { lastUpdateTimestamp: big(String(given[8])) };
  NAMES.forEach((name, i) => { dynamicFeeInfo[name] = given[i]; });
  const looks = { count: 0 };
  const tickArrays = arraysOf(ask, looks);
  const got = swapInternal({
    poolInfo: {
      sqrtPriceX64: big(ask.sqrt), liquidity: big(ask.liquidity), tickCurrent: ask.tick, tickSpacing: ask.spacing,
      feeOn: ask.fee_on, feeGrowthGlobalX64A: big("0"), feeGrowthGlobalX64B: big("0"), dynamicFeeInfo,
    },
    configInfo: { tradeFeeRate: ask.fee, protocolFeeRate: 0, fundFeeRate: 0 },
    tickArrays,
    amountSpecified: big(ask.amount), sqrtPriceLimitX64: big("0"), zeroForOne: ask.down, isBaseInput: !ask.exact_out,
    blockTimestamp: ask.now, includeExtraTickArrays: false,
  });
  if (!got.allTrade) return { no: "not all" };
  const calculated = got.amountCalculated.toString();
  const before = new Map(ask.ticks.map((row) => [row[0], row.slice(3).map(String).join()]));
  const orders = [];
  for (const { ticks } of tickArrays) {
    for (const t of ticks) {
      const row = [t.ordersAmount, t.partFilledOrdersRemaining, t.orderPhase, t.unfilledRatioX64].map(String);
      if (before.has(t.tick) && before.get(t.tick) !== row.join()) orders.push([t.tick, ...row]);
    }
  }
  const d = dynamicFeeInfo;
  return {
    in: ask.exact_out ? calculated : ask.amount, out: ask.exact_out ? ask.amount : calculated,
    sqrt: got.sqrtPriceX64.toString(), tick: got.tickCurrent, liquidity: got.liquidity.toString(), orders,
    volatility: ask.volatility && [
      d.tickSpacingIndexReference, d.volatilityReference, d.volatilityAccumulator, Number(d.lastUpdateTimestamp),
    ],
  };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let said;
  try {
    said = answer(JSON.parse(line));
  } catch (error) {
    said = { no: String(error.message ?? error) };
  }
  process.stdout.write(JSON.stringify(said) + "\n");
});
