//! Seeded items, each computed from its number: ordinary ones and, by fixed rules, the awkward ones.

use serde_json::{Map, Number, Value as Json, json};

use crate::zoho::id::{Space, id};
use crate::zoho::item::{Item, Picture, Variant};
use crate::zoho::noise::{below, mix, pick};
use crate::zoho::picture::ZohoImage;

/// No seeded record changed after this time: 2025-10-31 12:00:00 UTC.
const NEWEST: i64 = 1_761_912_000;
/// Seconds over which changes are spread: two years, so that both offsets of a time zone occur.
const SPREAD: u64 = 2 * 365 * 86_400;
/// One import stamped all of these numbers with one second, more than fit on a page.
const IMPORTED: std::ops::Range<u32> = 1000..1250;
/// When: 2024-11-29 10:00:00 UTC.
const IMPORT_TIME: i64 = 1_732_874_400;

const MATERIALS: [&str; 8] = ["Oak", "Steel", "Linen", "Glass", "Pine", "Copper", "Wool", "Birch"];
const NOUNS: [&str; 10] =
    ["Chair", "Table", "Lamp", "Shelf", "Vase", "Bowl", "Rug", "Stool", "Mirror", "Cabinet"];
const BRANDS: [&str; 5] = ["", "Norda", "Ostrava", "Fjell & Co", "Kaito"];
const FINISHES: [&str; 3] = ["Natural", "Smoked", "White"];

/// Time of the last change of a seeded item.
pub(crate) fn modified(number: u32) -> i64 {
    if IMPORTED.contains(&number) {
        return IMPORT_TIME;
    }
    NEWEST - i64::try_from(below(u64::from(number) ^ 0x7143, SPREAD)).unwrap_or(0)
}

/// The seeded item of this number.
pub(crate) fn item(number: u32, with_images: bool) -> Item {
    let noise = |salt: u64| mix(u64::from(number) << 8 | salt);
    let kind = Kind::of(number);
    let modified = modified(number);
    let age = if IMPORTED.contains(&number) { 0 } else { i64::try_from(noise(1) % 7_776_000).unwrap_or(0) };
    let has_photo = with_images && number % 9 != 4 && kind != Kind::Service;
    let cents = 100 + noise(2) % 50_000;
    Item {
        number,
        name: name(number),
        sku: sku(number),
        description: description(number),
        brand: pick(noise(3), &BRANDS).to_owned(),
        ean: if number.is_multiple_of(4) { format!("570131{number:07}") } else { String::new() },
        unit: pick(noise(4), &["pcs", "pcs", "box", "kg", ""]).to_owned(),
        rate: if number % 41 == 17 { Number::from(0) } else { money(cents) },
        purchase_rate: if kind.is_bought() { money(cents / 2) } else { Number::from(0) },
        is_active: number % 33 != 7,
        product_type: if kind == Kind::Service { "service" } else { "goods" }.to_owned(),
        kind: kind.item_type().to_owned(),
        stock: (kind == Kind::Tracked).then(|| i64::try_from(noise(5) % 120).unwrap_or(0) - 2),
        is_combo: number % 97 == 50,
        variant: variant(number),
        custom: custom(number),
        picture: has_photo.then(|| picture(number)),
        has_second_photo: has_photo && number % 15 == 3,
        has_sheet: number % 10 == 3,
        created: modified - age,
        modified,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tracked,
    Untracked,
    PurchaseOnly,
    Service,
}

impl Kind {
    fn of(number: u32) -> Self {
        match number % 12 {
            5 => Self::Service,
            6 => Self::Untracked,
            8 => Self::PurchaseOnly,
            _ => Self::Tracked,
        }
    }

    fn item_type(self) -> &'static str {
        match self {
            Self::Tracked => "inventory",
            Self::Untracked => "sales_and_purchases",
            Self::PurchaseOnly => "purchases",
            Self::Service => "sales",
        }
    }

    fn is_bought(self) -> bool {
        self != Self::Service
    }
}

fn plain_name(number: u32) -> String {
    let seed = u64::from(number);
    format!("{} {} {number}", pick(seed ^ 0x31, &MATERIALS), pick(seed ^ 0x32, &NOUNS))
}

fn name(number: u32) -> String {
    let plain = plain_name(number);
    if let Some(variant) = variant(number) {
        return format!("{} - {}", variant.group_name, variant.option_name);
    }
    match number % 50 {
        0 => format!("Nuts &amp; Bolts {number}"),
        1 => format!("{plain}  "),
        2 => format!("Cr\u{e8}me br\u{fb}l\u{e9}e torch \u{2013} 25 \u{b0}C {number}"),
        3 => format!("\u{5db}\u{5d9}\u{5e1}\u{5d0} \u{5e2}\u{5e5} {number}"),
        4 => format!("\u{643}\u{631}\u{633}\u{64a} \u{62e}\u{634}\u{628}\u{64a} {number}"),
        5 => format!("\u{1fa91} Garden set \u{1f469}\u{200d}\u{1f373} {number}"),
        6 => format!("\u{6728}\u{88fd}\u{30c6}\u{30fc}\u{30d6}\u{30eb} {number}"),
        7 => format!("Pipe 1/2\" <b>bold</b> & 'quoted' {number}"),
        // Decomposed accents, as some keyboards and imports produce them.
        8 => format!("Ghe\u{302}\u{301} go\u{302}\u{303} {number}"),
        _ => plain,
    }
}

fn sku(number: u32) -> String {
    if number % 9 == 8 {
        return String::new();
    }
    // Uniqueness is a preference of the organisation, so duplicates exist.
    let shown = if number % 50 == 12 { number - 1 } else { number };
    format!("SKU-{shown:06}")
}

fn description(number: u32) -> String {
    match number % 40 {
        0..=9 => String::new(),
        11 => "Solid, heavy and long lasting. ".repeat(64),
        12 => "First line\nSecond line &lt;i&gt;\n\n\tindented".to_owned(),
        _ => format!("{}, 45 cm, ready to use", plain_name(number)),
    }
}

fn variant(number: u32) -> Option<Variant> {
    let option = (number % 25).checked_sub(20)?;
    let option_name = FINISHES.get(usize::try_from(option).ok()?)?;
    let group = number - option;
    Some(Variant { group, group_name: plain_name(group), option, option_name: (*option_name).to_owned() })
}

fn custom(number: u32) -> Map<String, Json> {
    let mut custom = Map::new();
    custom.insert("cf_origin".to_owned(), json!(pick(u64::from(number) ^ 0x51, &["PL", "DE", "SE", ""])));
    if number.is_multiple_of(6) {
        custom.insert("cf_warranty_months".to_owned(), json!(24));
    }
    custom
}

/// The primary image that a seeded item has.
fn picture(number: u32) -> Picture {
    Picture {
        document: id(Space::Photo, number),
        file_name: format!("item-{number}.jpg"),
        kind: ZohoImage::Jpeg,
        seed: u64::from(number),
    }
}

/// An amount as the API prints it: no more digits than needed.
fn money(cents: u64) -> Number {
    let (whole, part) = (cents / 100, cents % 100);
    let text = match (part, part % 10) {
        (0, _) => whole.to_string(),
        (_, 0) => format!("{whole}.{}", part / 10),
        _ => format!("{whole}.{part:02}"),
    };
    text.parse().unwrap_or_else(|_| Number::from(whole))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::zoho::table::Record;

    #[test]
    fn a_seeded_item_is_the_same_every_time_and_its_time_is_known_without_it() {
        for number in [0, 3, 999, 1000, 1249, 100_000] {
            let item = item(number, true);
            assert_eq!(item, Item::seed(number, true));
            assert_eq!(item.modified, modified(number));
            assert!(item.created <= item.modified && item.modified <= NEWEST);
            assert!(item.name.chars().count() <= 100 && item.description.chars().count() <= 2000);
        }
    }

    #[test]
    fn the_seed_holds_every_awkward_kind() {
        let items: Vec<Item> = (0..2075).map(|number| item(number, true)).collect();
        let count = |test: &dyn Fn(&Item) -> bool| items.iter().filter(|item| test(item)).count();
        assert!(count(&|item| item.name.contains("&amp;")) > 1);
        assert!(count(&|item| item.name.ends_with(' ')) > 1);
        assert!(count(&|item| !item.is_active) > 1);
        assert!(count(&|item| item.sku.is_empty()) > 1);
        assert!(count(&|item| item.picture.is_none()) > 200);
        assert!(count(&|item| item.has_sheet && item.has_second_photo) > 1);
        assert!(count(&|item| item.stock.is_some_and(|stock| stock < 0)) > 1);
        for kind in ["sales", "purchases", "sales_and_purchases", "inventory"] {
            assert!(count(&|item| item.kind == kind) > 1, "{kind}");
        }
        assert_eq!(count(&|item| item.modified == IMPORT_TIME), 250);
        let skus: Vec<&str> =
            items.iter().map(|item| item.sku.as_str()).filter(|sku| !sku.is_empty()).collect();
        assert!(skus.iter().collect::<HashSet<_>>().len() < skus.len(), "no SKU occurs twice");
    }

    #[test]
    fn money_has_no_idle_digits() {
        assert_eq!(money(12_000).as_str(), "120");
        assert_eq!(money(12_950).as_str(), "129.5");
        assert_eq!(money(19_999).as_str(), "199.99");
        assert_eq!(money(105).as_str(), "1.05");
    }
}
