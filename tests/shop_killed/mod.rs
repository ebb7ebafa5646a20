//! kill -9 and lost replies on the way from Zoho to Odoo: one product for each item, with the newest values and image.

pub(crate) mod shop;
pub(crate) mod truth;

use std::time::{Duration, Instant};

use sandbox::{Fault, FaultRule, OdooVersion, ZohoChange, ZohoImage};
use serde_json::{Value, json};

use self::shop::Shop;
use self::truth::{Wrong, wrong};
use crate::dice::{Dice, kills};

const ITEMS: u32 = 90;
const KILLS_PER_ROUND: u32 = 3;
const VERSIONS: [OdooVersion; 2] = [OdooVersion::V18, OdooVersion::V19];

/// What is counted over all rounds.
#[derive(Debug, Default)]
struct Tally {
    syncs: u32,
    killed: u32,
    faults: u64,
    given_up: usize,
}

impl Tally {
    /// Kills some syncs, then lets one end and compares; the sync after that has nothing to do.
    async fn round(&mut self, shop: &Shop, span: Duration, dice: &mut Dice, between: impl Fn(u32)) {
        let faults = shop.control().counts().faults;
        for kill in 0..KILLS_PER_ROUND {
            self.killed += u32::from(shop.kill_within(span, dice).await);
            between(kill);
        }
        let report = self.end(shop).await;
        shop.late_calls_done().await;
        assert_eq!(wrong(shop).await, Wrong::default(), "{report}");
        assert_eq!(report["outstanding"], 0);
        assert_eq!((&report["images"]["outstanding"], &report["images"]["dead"]), (&json!(0), &json!(0)));
        shop.run(&["status"]).await.expect(0, &["0 outstanding, 0 failed"]);
        self.faults += shop.control().counts().faults - faults;
        shop.control().clear_faults();
        self.nothing_to_do(shop).await;
        self.syncs += KILLS_PER_ROUND + 2;
    }

    /// The sync that is not killed. A record or an image that was in work at each of several kills is given up, since it
    /// may be what kills, and all that are in work at once then are: a new version of each must bring it.
    async fn end(&mut self, shop: &Shop) -> Value {
        let ran = shop.run(&["sync", "--json"]).await;
        let listed = shop.run(&["dead", "list", "--json", "--limit", "1000"]).await.json();
        let letters = listed["pipelines"][0]["letters"].as_array().unwrap();
        assert_eq!(ran.code(), i32::from(!letters.is_empty()), "{ran:?} {letters:?}");
        if letters.is_empty() {
            return ran.json()["pipelines"][0].take();
        }
        for letter in letters {
            let why = letter["failure"]["message"].as_str().unwrap();
            assert!(why.contains("3 workers died over this"), "{why}");
            replace(shop, letter["key"].as_str().unwrap());
            self.given_up += 1;
        }
        shop.sync().await.0
    }

    async fn nothing_to_do(&self, shop: &Shop) {
        shop.control().reset_counts();
        shop.store().reset_counts();
        shop.sync().await;
        let counts = shop.control().counts();
        let written = (counts.rows_created, counts.rows_written, counts.image_writes);
        assert_eq!(written, (0, 0, 0), "{counts:?}");
        assert_eq!(shop.store().counts().image, 0);
    }

    fn print(&self, began: Instant) {
        println!(
            "{} syncs, {} killed before their end, {} replies lost or late, {} given up over repeated kills; 0 duplicates, \
             0 missing, 0 wrong values, 0 wrong images, {:.1} s",
            self.syncs,
            self.killed,
            self.faults,
            self.given_up,
            began.elapsed().as_secs_f64()
        );
        assert!(self.killed > 0);
    }
}

/// What goes wrong at Odoo while syncs are killed.
#[derive(Clone, Copy)]
enum Trouble {
    Nothing,
    LostLoads,
    LostWrites,
    LateLoads,
}

impl Trouble {
    fn order(self, shop: &Shop, dice: &mut Dice) {
        let faults = match self {
            Self::Nothing => vec![],
            Self::LostLoads => vec![("load", Fault::LoseReply), ("load", Fault::LoseReply)],
            Self::LostWrites => {
                vec![("write", Fault::LoseReply), ("create", Fault::LoseReply), ("write", Fault::LoseReply)]
            }
            Self::LateLoads => vec![("load", Fault::WorkLate { millis: 300 }), ("write", Fault::LoseReply)],
        };
        for (method, fault) in faults {
            let rule = FaultRule::once(fault).method(method).after(dice.roll(3));
            shop.control().fault(rule);
        }
    }

    /// Its rounds, each with the release that has its turn.
    fn rounds(self) -> impl Iterator<Item = (u32, OdooVersion)> {
        let first = self as usize;
        (0..kills(4).div_ceil(4)).zip(VERSIONS.into_iter().cycle().skip(first % 2))
    }
}

/// How long an undisturbed first sync takes, so that the kills fall inside: what they leave to do gets less each time.
async fn span_of_a_first_sync() -> Duration {
    let shop = Shop::new(OdooVersion::V18, ITEMS as usize).await;
    let (_, took) = shop.sync().await;
    assert_eq!(wrong(&shop).await, Wrong::default());
    took / 2
}

/// Each product is made once, whatever is killed before.
async fn first_syncs_are_killed(trouble: Trouble) {
    let mut dice = Dice::new();
    let mut tally = Tally::default();
    let span = span_of_a_first_sync().await;
    let began = Instant::now();
    for (_, version) in trouble.rounds() {
        let shop = Shop::new(version, ITEMS as usize).await;
        trouble.order(&shop, &mut dice);
        tally.round(&shop, span, &mut dice, |_| ()).await;
    }
    tally.print(began);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_makes_each_product_once() {
    first_syncs_are_killed(Trouble::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_and_loses_replies_to_loads_makes_each_product_once() {
    first_syncs_are_killed(Trouble::LostLoads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_and_loses_replies_to_writes_makes_each_product_once() {
    first_syncs_are_killed(Trouble::LostWrites).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_while_odoo_loads_on_makes_each_product_once() {
    first_syncs_are_killed(Trouble::LateLoads).await;
}

/// What is edited meanwhile arrives, and the newest stays.
async fn edits_come_between_kills(trouble: Trouble) {
    let mut dice = Dice::new();
    let mut tally = Tally::default();
    let began = Instant::now();
    for (round, version) in trouble.rounds() {
        let shop = Shop::new(version, ITEMS as usize).await;
        shop.sync().await;
        edit(&shop, 0);
        let (_, span) = shop.sync().await;
        trouble.order(&shop, &mut dice);
        let time = 10 * (round + 1);
        edit(&shop, time);
        let between = |kill| edit(&shop, time + kill + 1);
        tally.round(&shop, span, &mut dice, between).await;
    }
    tally.print(began);
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_between_kills_arrive_and_the_newest_stays() {
    edits_come_between_kills(Trouble::Nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_between_kills_arrive_where_replies_to_loads_are_lost() {
    edits_come_between_kills(Trouble::LostLoads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_between_kills_arrive_where_replies_to_writes_are_lost() {
    edits_come_between_kills(Trouble::LostWrites).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_between_kills_arrive_where_odoo_loads_on() {
    edits_come_between_kills(Trouble::LateLoads).await;
}

/// New prices for every third item, from another one on each time, and new images for four.
fn edit(shop: &Shop, time: u32) {
    let apply = |change| shop.store().apply(change).unwrap();
    for number in (time % 3..ITEMS).step_by(3) {
        let fields = json!({ "rate": 1_000 + time, "purchase_rate": time });
        apply(ZohoChange::EditItem {
            item: shop.store().item_id(number),
            fields: fields.as_object().unwrap().clone(),
            touch: true,
        });
    }
    for number in time..time + 4 {
        upload(shop, &shop.store().item_id(number % ITEMS));
    }
}

fn upload(shop: &Shop, item: &str) {
    let change = ZohoChange::ReplaceImage {
        item: item.to_owned(),
        kind: Some(ZohoImage::Jpeg),
        touch: true,
        keep_document: false,
    };
    shop.store().apply(change).unwrap();
}

/// A new version of an item, and of its image.
fn replace(shop: &Shop, item: &str) {
    let fields = json!({ "rate": 7 });
    let change = ZohoChange::EditItem {
        item: item.to_owned(),
        fields: fields.as_object().unwrap().clone(),
        touch: true,
    };
    shop.store().apply(change).unwrap();
    upload(shop, item);
}
