//! `surfnet [MS]`: a slot every MS milliseconds (400). Says its two addresses in one line of JSON, and ends with its input.

use std::io::Read;
use surfpool_sdk::{BlockProductionMode, Surfnet};

#[tokio::main]
async fn main() {
    let slot_ms = std::env::args().nth(1).map_or(400, |text| text.parse().expect("milliseconds"));
    let clock = Surfnet::builder().block_production_mode(BlockProductionMode::Clock).slot_time_ms(slot_ms);
    let node = clock.start().await.expect("a node");
    println!("{{\"http\": \"{}\", \"ws\": \"{}\"}}", node.rpc_url(), node.ws_url());
    let events = node.events().clone();
    std::thread::spawn(move || events.iter().for_each(drop)); // unread, they would be kept
    std::io::stdin().read_to_end(&mut Vec::new()).expect("input");
    std::process::exit(0); // without the five seconds that a stop would wait for
}
