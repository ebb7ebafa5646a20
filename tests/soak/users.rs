//! People who edit all the time: values go from A to B and back, images change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::cast::SIZE;
use crate::dice::Dice;
use crate::fleet::catalogue::Catalogue;

/// Between two edits, at most.
const PAUSE_MAX: u64 = 200;

/// Users at work.
pub(crate) struct Busy {
    stop: Arc<AtomicBool>,
    edits: JoinHandle<u64>,
}

/// They leave number 0 alone, which is the probe's.
pub(crate) fn start(catalogue: &Catalogue, seed: u64) -> Busy {
    let (users, mut dice) = (catalogue.users(), Dice::of(seed ^ 0x5eed));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let edits = tokio::spawn(async move {
        let mut edits = 0;
        while !stopped.load(Ordering::Relaxed) {
            let mut number = |of: usize| 1 + u32::try_from(dice.roll(of as u64 - 1)).unwrap();
            let (item, customer) = (number(SIZE.items), number(SIZE.customers));
            let mark = if dice.roll(2) == 0 { "A" } else { "B" };
            match dice.roll(5) {
                0 => users.replace_image(item),
                1 | 2 => users.edit_item(item, mark),
                _ => users.edit_customer(customer, mark),
            }
            edits += 1;
            tokio::time::sleep(Duration::from_millis(dice.roll(PAUSE_MAX))).await;
        }
        edits
    });
    Busy { stop, edits }
}

impl Busy {
    /// How many edits there were.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.edits.await.unwrap()
    }
}
