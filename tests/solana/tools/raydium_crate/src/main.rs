//! One question a line on standard input, one answer a line on standard output; all numbers decimal, parted by blanks.
//!
//! `swap <sqrt price> <tick> <liquidity> <fee ppm> <amount> <limit> <base input 0|1> <down 0|1> {<tick> <net>}` with the
//! ticks ascending answers `ok <in> <out> <sqrt price> <tick> <liquidity>` or `no <why>`.
//! `sqrt <tick>` and `tick <sqrt price>` answer `ok <number>` or `no <why>`.
//! The program's own arithmetic panics where the chain would abort: that is a `no`, too.

use solana_clmm_raydium::{
    compute_swap_full, get_sqrt_price_at_tick, get_tick_at_sqrt_price, InitializedTick, SwapPool,
};
use std::io::{BufRead, BufWriter, Write};
use std::str::{FromStr, SplitAsciiWhitespace};

fn next<T: FromStr>(words: &mut SplitAsciiWhitespace) -> Option<T> {
    words.next()?.parse().ok()
}

fn swap(words: &mut SplitAsciiWhitespace) -> Option<String> {
    let pool = SwapPool {
        sqrt_price_x64: next(words)?,
        tick_current: next(words)?,
        liquidity: next(words)?,
        tick_spacing: 1, // the crate's loop never looks at it
        fee_rate_pips: next(words)?,
    };
    let amount: u64 = next(words)?;
    let limit: u128 = next(words)?;
    let base_input = next::<u8>(words)? == 1;
    let down = next::<u8>(words)? == 1;
    let mut ticks = Vec::new();
    while let Some(tick) = next::<i32>(words) {
        ticks.push(InitializedTick { tick, liquidity_net: next(words)? });
    }
    Some(match compute_swap_full(&pool, &ticks, amount, limit, base_input, down) {
        Ok(r) => format!(
            "ok {} {} {} {} {}",
            r.amount_in, r.amount_out, r.final_sqrt_price_x64, r.final_tick, r.final_liquidity
        ),
        Err(code) => format!("no {code:?}"),
    })
}

fn answer(line: &str) -> Option<String> {
    let mut words = line.split_ascii_whitespace();
    match words.next()? {
        "swap" => swap(&mut words),
        "sqrt" => Some(match get_sqrt_price_at_tick(next(&mut words)?) {
            Ok(price) => format!("ok {price}"),
            Err(code) => format!("no {code:?}"),
        }),
        "tick" => Some(match get_tick_at_sqrt_price(next(&mut words)?) {
            Ok(tick) => format!("ok {tick}"),
            Err(code) => format!("no {code:?}"),
        }),
        _ => None,
    }
}

fn main() {
    std::panic::set_hook(Box::new(|_| ()));
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let said = std::panic::catch_unwind(|| answer(&line)).unwrap_or(Some("no panic".to_owned()));
        writeln!(out, "{}", said.unwrap_or_else(|| format!("bad {line}"))).expect("standard output is open");
    }
}
