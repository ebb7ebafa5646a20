//! Seeded records, computed from their id whenever somebody looks.
//!
//! Nothing is stored for them until they are changed, so that 300,000 rows cost no memory and a page of them costs
//! a page. The same id gives the same record on every machine.

use crate::odoo::schema::{ModelId, model};
use crate::odoo::stamp::{DAY, Stamp};
use crate::odoo::value::Value;

/// 2025-07-01 00:00:00 UTC: seeded records were last written in the year after it.
const EPOCH: i64 = 1_751_328_000_000_000;
/// Distance from a seeded template's id to its variant's id, so that mixing the two up shows.
pub(crate) const VARIANT_OFFSET: i64 = 11;

/// A run of seeded ids of one model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed {
    pub(crate) model: ModelId,
    /// The lowest seeded id.
    pub(crate) first: i64,
    /// One past the highest.
    pub(crate) end: i64,
}

/// Steele, Lea and Flood's splitmix step: one well-mixed number per (id, purpose).
fn mix(id: i64, purpose: u64) -> u64 {
    let mut z = id
        .unsigned_abs()
        .wrapping_add(purpose.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn below(id: i64, purpose: u64, limit: u64) -> i64 {
    i64::try_from(mix(id, purpose) % limit).unwrap_or(0)
}

fn pick<T: Copy>(id: i64, purpose: u64, choices: &[T]) -> Option<T> {
    let index = usize::try_from(mix(id, purpose) % u64::try_from(choices.len().max(1)).unwrap_or(1)).ok()?;
    choices.get(index).copied()
}

fn one_in(id: i64, purpose: u64, share: u64) -> bool {
    mix(id, purpose).is_multiple_of(share)
}

impl Seed {
    pub(crate) fn contains(&self, id: i64) -> bool {
        (self.first..self.end).contains(&id)
    }

    /// A third of the records were written eight at a time, by one transaction: they share a stamp.
    #[expect(clippy::unused_self, reason = "asked of the seed like every other column")]
    pub(crate) fn write_date(&self, id: i64) -> Stamp {
        let group = if one_in(id / 8, 90, 3) { id / 8 * 8 } else { id };
        Stamp(EPOCH + below(group, 1, 360 * DAY.unsigned_abs()))
    }

    pub(crate) fn create_date(&self, id: i64) -> Stamp {
        Stamp(self.write_date(id).0 - below(id, 2, 90 * DAY.unsigned_abs()))
    }

    /// About one record in fifty is archived.
    pub(crate) fn active(&self, id: i64) -> bool {
        let id = if self.model == model::PRODUCT { id - VARIANT_OFFSET } else { id };
        !one_in(id, 3, 50)
    }

    /// The value of a column, or `None` where a seeded record has what a new one has.
    pub(crate) fn value(&self, id: i64, field: &str) -> Option<Value> {
        match field {
            "write_date" => return Some(Value::Stamp(self.write_date(id))),
            "create_date" => return Some(Value::Stamp(self.create_date(id))),
            "create_uid" | "write_uid" => return Some(Value::Int(2)),
            "active" => return Some(Value::Bool(self.active(id))),
            _ => {}
        }
        match self.model {
            model::PARTNER => self.partner(id, field),
            model::TEMPLATE => template(id, field),
            model::PRODUCT => product(id - VARIANT_OFFSET, field),
            _ => None,
        }
    }

    fn partner(&self, id: i64, field: &str) -> Option<Value> {
        let company = id % 4 == 0;
        let head = id / 4 * 4;
        let text = |text: String| Some(Value::text(text));
        let country = pick(id, 20, &COUNTRIES)?;
        match field {
            "name" if company => {
                text(format!("{} {} {id}", pick(id, 10, &COMPANY_WORDS)?, pick(id, 11, &LEGAL_FORMS)?))
            }
            "name" => text(format!("{} {} {id}", pick(id, 12, &GIVEN)?, pick(id, 13, &FAMILY)?)),
            "is_company" => Some(Value::Bool(company)),
            "parent_id" => (id % 4 < 3 && !company && head >= self.first).then_some(Value::Int(head)),
            "type" => {
                Some(Value::text(pick(id, 14, &["contact", "contact", "contact", "invoice", "delivery"])?))
            }
            "email" if one_in(id, 15, 7) => None,
            "email" => text(format!("contact.{id}@example-{}.com", id % 97)),
            "phone" if one_in(id, 16, 5) => None,
            "phone" => text(format!("+{} 555 {:06}", 30 + id % 60, below(id, 17, 1_000_000))),
            "mobile" => one_in(id, 18, 3).then(|| Value::text(format!("+1 202 555 {:04}", id % 10_000))),
            "street" => (!one_in(id, 19, 9)).then(|| Value::text(format!("{} {}", 1 + id % 250, STREET))),
            "street2" => one_in(id, 21, 6).then(|| Value::text("Hinterhaus, 2. Stock")),
            "zip" => text(format!("{:05}", below(id, 22, 100_000))),
            "city" => Some(Value::text(pick(id, 23, &CITIES)?)),
            "country_id" => (!one_in(id, 24, 12)).then_some(Value::Int(country.0)),
            "state_id" => (!one_in(id, 24, 12) && country.1 > 0).then_some(Value::Int(country.1)),
            "vat" => {
                (company && !one_in(id, 25, 3)).then(|| Value::text(format!("BE0{:09}", id % 1_000_000_000)))
            }
            "ref" => (!one_in(id, 26, 4)).then(|| Value::text(format!("C-{id:06}"))),
            "function" => (!company && one_in(id, 27, 2)).then(|| Value::text("Purchasing & Logistics")),
            "website" => {
                (company && one_in(id, 28, 2)).then(|| Value::text(format!("http://www.example-{id}.com")))
            }
            "comment" => one_in(id, 29, 6).then(|| Value::text("<p>Pays <b>late</b> &amp; in cash</p>")),
            "customer_rank" => Some(Value::Int(1)),
            _ => None,
        }
    }
}

fn template(id: i64, field: &str) -> Option<Value> {
    match field {
        "name" => {
            let (adjective, thing) = (pick(id, 40, &ADJECTIVES)?, pick(id, 41, &THINGS)?);
            Some(Value::text(format!("{adjective} {thing} {id}")))
        }
        "list_price" => Some(Value::Float(cents(price(id)))),
        "categ_id" => Some(Value::Int(1 + below(id, 43, 3))),
        "uom_id" | "uom_po_id" => Some(Value::Int(if one_in(id, 44, 10) { 2 } else { 1 })),
        "taxes_id" if one_in(id, 45, 20) => Some(Value::ids(&[])),
        "description_sale" => one_in(id, 46, 4).then(|| {
            Value::text(format!("Size <{}> cm — \"as is\" & 'while stocks last'\nZeile zwei", id % 200))
        }),
        "type" | "detailed_type" => one_in(id, 47, 15).then(|| Value::text("service")),
        "is_storable" => Some(Value::Bool(!one_in(id, 47, 15) && one_in(id, 48, 2))),
        "sale_ok" => Some(Value::Bool(!one_in(id, 49, 25))),
        _ => None,
    }
}

fn product(template: i64, field: &str) -> Option<Value> {
    match field {
        "product_tmpl_id" => Some(Value::Int(template)),
        "default_code" => (!one_in(template, 50, 8)).then(|| Value::text(format!("SKU-{template:06}"))),
        "barcode" => barcode(template).map(Value::text),
        "standard_price" => Some(Value::Float(cents(price(template) * 6 / 10))),
        "weight" => Some(Value::Float(cents(below(template, 52, 5000)))),
        "volume" => Some(Value::Float(cents(below(template, 53, 300)))),
        _ => None,
    }
}

fn price(template: i64) -> i64 {
    if one_in(template, 54, 97) { 0 } else { 95 + below(template, 42, 99_000) }
}

#[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53")]
fn cents(amount: i64) -> f64 {
    amount as f64 / 100.0
}

/// An EAN-13 carrying the template's id; three in four products have one.
fn barcode(template: i64) -> Option<String> {
    if one_in(template, 51, 4) {
        return None;
    }
    let body = format!("20{template:010}");
    let sum: u32 = body
        .bytes()
        .enumerate()
        .map(|(at, digit)| u32::from(digit - b'0') * if at % 2 == 0 { 1 } else { 3 })
        .sum();
    Some(format!("{body}{}", (10 - sum % 10) % 10))
}

/// The seeded template whose barcode this is, were it unchanged.
pub(crate) fn template_of_barcode(code: &str) -> Option<i64> {
    let id: i64 = code.get(2..12)?.parse().ok()?;
    (barcode(id).as_deref() == Some(code)).then_some(id)
}

const STREET: &str = "Rue de l'Église";
const COMPANY_WORDS: [&str; 10] = [
    "Müller & Söhne",
    "Brightwater",
    "شركة النور",
    "株式会社さくら",
    "Łódź Meble",
    "O'Brien <Tools>",
    "Agrícola São João",
    "חברת הצפון",
    "Кедр",
    "Blue \"Heron\"",
];
const LEGAL_FORMS: [&str; 5] = ["GmbH", "Ltd", "S.A.", "Inc.", "BV"];
const GIVEN: [&str; 10] = ["Anna", "José", "محمد", "Zoë", "יעל", "Ólafur", "李", "Ngozi", "Siân", "Иван"];
const FAMILY: [&str; 8] = ["Smith", "d'Arc", "García-López", "Østergård", "العلي", "Nowak", "O'Neil", "王"];
const CITIES: [&str; 8] =
    ["Namur", "İstanbul", "Köln", "München", "القاهرة", "São Paulo", "New York", "Łódź"];
const ADJECTIVES: [&str; 10] =
    ["Oak", "Steel", "Crème", "كبير", "Red & White", "<b>Bold</b>", "½ inch", "Große", "日本", "Eco 🌱"];
const THINGS: [&str; 10] =
    ["Table", "Chair", "Lámpara", "Bolt M6", "كرسي", "Shelf \"Ivar\"", "Cable 5m", "Flasche", "桌子", "Mug"];
/// (country, state or 0) pairs; the ids are those of the seeded countries and states.
const COUNTRIES: [(i64, i64); 8] =
    [(20, 0), (233, 13), (233, 41), (57, 0), (75, 0), (104, 588), (109, 0), (65, 0)];

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: Seed = Seed { model: model::TEMPLATE, first: 1, end: 10_000 };

    #[test]
    fn some_records_share_a_stamp_and_most_have_microseconds() {
        let stamps: Vec<_> = (1..2000).map(|id| SEED.write_date(id)).collect();
        assert!(stamps.windows(2).any(|pair| pair[0] == pair[1]));
        assert!(stamps.iter().filter(|stamp| **stamp != stamp.whole_second()).count() > 1900);
        assert!((1..2000).all(|id| SEED.create_date(id) <= SEED.write_date(id)));
    }

    #[test]
    fn a_barcode_leads_back_to_its_template() {
        let found =
            (1..100).filter(|id| barcode(*id).is_some_and(|code| template_of_barcode(&code) == Some(*id)));
        assert!(found.count() > 50);
        assert_eq!(template_of_barcode("1234567890123"), None);
        assert_eq!(template_of_barcode("é"), None);
    }

    #[test]
    fn about_two_percent_are_archived() {
        let archived = (1..10_000).filter(|id| !SEED.active(*id)).count();
        assert!((120..280).contains(&archived), "{archived}");
    }
}
