//! Writes random, valid WASM modules to stdout, each as its length (u32, little-endian) and its bytes.
//!
//! `smith SEED FIRST COUNT [TEMPLATE…]`: modules FIRST … FIRST+COUNT-1 of the series SEED; each depends on (SEED, its
//! number) alone. Three of four have exactly the exports of one of the TEMPLATE modules and import nothing else than that
//! one does, so that they get past the question what they are; the fourth is anything at all, with every proposal on.

use std::io::{self, BufWriter, Write};

use arbitrary::Unstructured;
use wasm_smith::{Config, Module};

const MEMORY_BYTES: u64 = 16 << 20;

/// splitmix64: a whole series from one number, the same on every machine.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(&mut self, words: usize) -> Vec<u8> {
        (0..words).flat_map(|_| self.next().to_le_bytes()).collect()
    }
}

/// What a guest may be: every proposal off that the gateway switches off.
fn strict(template: Option<Vec<u8>>) -> Config {
    Config {
        available_imports: template.clone(),
        exports: template,
        max_memory32_bytes: MEMORY_BYTES,
        max_table_elements: 4096,
        max_tables: 4,
        allow_start_export: true,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        tail_call_enabled: false,
        compact_imports_enabled: false,
        wide_arithmetic_enabled: false,
        max_instructions: 300,
        ..Config::default()
    }
}

fn module(seed: u64, number: u64, templates: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut noise = Noise(seed.wrapping_mul(0x1_0000_0001).wrapping_add(number));
    let is_shaped = number % 4 != 3 && !templates.is_empty();
    let config = if is_shaped {
        strict(Some(templates[(noise.next() % templates.len() as u64) as usize].clone()))
    } else if number % 8 == 3 {
        strict(None)
    } else {
        Config { max_memories: 3, generate_custom_sections: true, ..Config::default() }
    };
    let words = 64 << (noise.next() % 6);
    let raw = noise.bytes(words as usize);
    Module::new(config, &mut Unstructured::new(&raw)).ok().map(|module| module.to_bytes())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    let (Some(seed), Some(first), Some(count)) = (number(0), number(1), number(2)) else {
        eprintln!("usage: smith SEED FIRST COUNT [TEMPLATE.wasm …]");
        std::process::exit(2);
    };
    let templates = arguments[3..].iter().map(std::fs::read).collect::<io::Result<Vec<_>>>()?;
    let mut out = BufWriter::new(io::stdout().lock());
    for at in first..first + count {
        let bytes = module(seed, at, &templates).unwrap_or_default();
        out.write_all(&(bytes.len() as u32).to_le_bytes())?;
        out.write_all(&bytes)?;
    }
    out.flush()
}
