//! `./test soak [minutes] [seed]`: a fleet under faults of all kinds, on a schedule that the seed fixes, while users
//! edit. Then the faults stop, and both sinks must come to hold exactly their sources. What is true is read from the
//! stand-ins and the file alone. Prints one closing line; exit code 1 where anything is lost, doubled or stale.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "it prints, and stops where its own stage fails"
)]

mod cast;
mod check;
// Shared with the end-to-end tests, which use more of them.
#[path = "../dice.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod dice;
mod fault;
#[path = "../fleet"]
#[expect(dead_code, reason = "the tests use the rest")]
mod fleet {
    pub(crate) mod catalogue;
    pub(crate) mod processes;
}
#[path = "../place.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod place;
#[path = "../shop_killed"]
#[expect(dead_code, reason = "the tests use the rest")]
mod shop_killed {
    pub(crate) mod shop;
    pub(crate) mod truth;
}
mod tally;
mod users;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cast::Cast;
use crate::dice::Dice;
use crate::fault::Kind;
use crate::tally::Tally;

/// Faults stand this far apart at most.
const GAP_MAX: u64 = 1_500;

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (minutes, seed) = (numbers.next().unwrap_or(20), numbers.next().unwrap_or(1));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let tally = runtime.block_on(soak(minutes, seed));
    println!("{}", tally.line());
    if tally.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn soak(minutes: u64, seed: u64) -> Tally {
    let mut dice = Dice::of(seed);
    let mut cast = Cast::new().await;
    let mut tally = Tally::new(minutes, seed);
    cast.fleet.in_step().await;
    let busy = users::start(&cast.fleet.catalogue, seed);
    let began = Instant::now();
    let (mut round, mut deck) = (0_u32, Vec::new());
    while began.elapsed() < Duration::from_secs(minutes * 60) {
        round += 1;
        let mut names = Vec::new();
        // One to three at once. Each kind comes once before any comes again.
        for _ in 0..=dice.roll(3) {
            if deck.is_empty() {
                deck = Kind::ALL.to_vec();
            }
            let kind = deck.swap_remove(usize::try_from(dice.roll(deck.len() as u64)).unwrap());
            cast.befall(kind, &mut dice).await;
            tally.befell(kind);
            names.push(kind.label());
            tokio::time::sleep(Duration::from_millis(dice.roll(GAP_MAX))).await;
        }
        let recovered = cast.recovers(&format!("probe {round}")).await;
        match recovered {
            Some(took) => println!("{}: jobs flow after {:.1} s", names.join(", "), took.as_secs_f64()),
            None => println!("{}: JOBS DO NOT FLOW", names.join(", ")),
        }
        tally.recovered(recovered);
    }
    tally.edits = busy.stop().await;
    tally.restarted = cast.restarted;
    cast.end(&mut tally).await;
    tally
}
