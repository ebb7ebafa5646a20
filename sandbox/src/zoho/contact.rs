//! Contacts: customers and vendors.

use serde_json::{Map, Value as Json, json};

use crate::zoho::clock::Clock;
use crate::zoho::id::{Space, id};
use crate::zoho::item::{choice, text};
use crate::zoho::item_row::extend;
use crate::zoho::noise::{below, mix, pick};
use crate::zoho::table::Record;

/// No seeded contact changed after this time: 2025-10-31 12:00:00 UTC.
const NEWEST: i64 = 1_761_912_000;
/// Seconds over which changes are spread: two years.
const SPREAD: u64 = 2 * 365 * 86_400;

/// A customer or vendor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Contact {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) company: String,
    pub(crate) is_vendor: bool,
    pub(crate) is_active: bool,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) mobile: String,
    pub(crate) street: String,
    pub(crate) city: String,
    pub(crate) zip: String,
    /// Name and code.
    pub(crate) state: [String; 2],
    /// Name and code.
    pub(crate) country: [String; 2],
    pub(crate) created: i64,
    pub(crate) modified: i64,
}

impl Record for Contact {
    fn seed(number: u32, _with_images: bool) -> Self {
        let noise = |salt: u64| mix(u64::from(number) << 8 | salt | 0x80);
        let first_name =
            pick(noise(1), &["Ada", "Bj\u{f6}rn", "Chlo\u{e9}", "Dmitri", "\u{5d0}\u{5d1}\u{5d9}", "Linh"]);
        let last_name =
            pick(noise(2), &["Larsen", "O'Neill", "Garc\u{ed}a", "Nguy\u{1ec5}n", "Weber", "Sato"]);
        let company_name =
            format!("{} {} {number}", last_name, pick(noise(3), &["Ltd", "GmbH", "&amp; Sons", "SARL"]));
        let is_company = !number.is_multiple_of(3);
        let modified = Self::seeded_modified(number);
        Self {
            number,
            name: if is_company {
                company_name.clone()
            } else {
                format!("{first_name} {last_name} {number}")
            },
            company: if is_company { company_name } else { String::new() },
            is_vendor: number % 7 == 6,
            is_active: number % 29 != 11,
            first_name: first_name.to_owned(),
            last_name: last_name.to_owned(),
            email: if number % 8 == 5 { String::new() } else { format!("contact{number}@example.com") },
            phone: format!("+1 212 555 {:04}", number % 10_000),
            mobile: String::new(),
            street: format!("{} Main Street", 1 + below(noise(4), 900)),
            city: pick(noise(5), &["Albany", "Buffalo", "Montr\u{e9}al", "Z\u{fc}rich"]).to_owned(),
            zip: format!("{:05}", below(noise(6), 100_000)),
            state: ["New York", "NY"].map(str::to_owned),
            country: ["U.S.A", "US"].map(str::to_owned),
            created: modified - i64::try_from(noise(7) % 7_776_000).unwrap_or(0),
            modified,
        }
    }

    fn seeded_modified(number: u32) -> i64 {
        NEWEST - i64::try_from(below(u64::from(number) ^ 0x00c0_ffee, SPREAD)).unwrap_or(0)
    }

    fn number(&self) -> u32 {
        self.number
    }

    fn modified(&self) -> i64 {
        self.modified
    }
}

impl Contact {
    /// A new contact without any content.
    pub(crate) fn blank(number: u32, now: i64) -> Self {
        Self {
            number,
            name: String::new(),
            company: String::new(),
            is_vendor: false,
            is_active: true,
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            phone: String::new(),
            mobile: String::new(),
            street: String::new(),
            city: String::new(),
            zip: String::new(),
            state: Default::default(),
            country: Default::default(),
            created: now,
            modified: now,
        }
    }

    /// Sets fields by their API names. Errors say what is wrong in words.
    pub(crate) fn edit(&mut self, fields: &Map<String, Json>) -> Result<(), String> {
        for (name, value) in fields {
            match name.as_str() {
                "contact_name" => self.name = text(name, value, 200)?,
                "company_name" => self.company = text(name, value, 200)?,
                "first_name" => self.first_name = text(name, value, 100)?,
                "last_name" => self.last_name = text(name, value, 100)?,
                "email" => self.email = text(name, value, 100)?,
                "phone" => self.phone = text(name, value, 50)?,
                "mobile" => self.mobile = text(name, value, 50)?,
                "billing_address" => self.edit_address(value)?,
                "status" => self.is_active = choice(name, value, &["active", "inactive"])? == "active",
                "contact_type" => self.is_vendor = choice(name, value, &["customer", "vendor"])? == "vendor",
                _ => return Err(format!("{name} is no field of a contact that can be edited here")),
            }
        }
        Ok(())
    }

    fn edit_address(&mut self, address: &Json) -> Result<(), String> {
        for (name, value) in address.as_object().ok_or("billing_address is an object")? {
            let place = match name.as_str() {
                "address" => &mut self.street,
                "city" => &mut self.city,
                "zip" => &mut self.zip,
                "state" => &mut self.state[0],
                "state_code" => &mut self.state[1],
                "country" => &mut self.country[0],
                "country_code" => &mut self.country[1],
                _ => return Err(format!("{name} is no part of an address that can be edited here")),
            };
            *place = text(name, value, 100)?;
        }
        Ok(())
    }

    /// A row of a list: without addresses.
    pub(crate) fn row(&self, clock: &Clock) -> Map<String, Json> {
        let mut row = Map::new();
        extend(
            &mut row,
            json!({
                "contact_id": id(Space::Contact, self.number), "contact_name": self.name,
                "customer_name": if self.is_vendor { "" } else { &self.name },
                "vendor_name": if self.is_vendor { &self.name } else { "" },
                "company_name": self.company, "contact_type": self.kind(),
                "customer_sub_type": if self.company.is_empty() { "individual" } else { "business" },
                "status": if self.is_active { "active" } else { "inactive" }, "source": "user",
                "first_name": self.first_name, "last_name": self.last_name, "email": self.email,
                "phone": self.phone, "mobile": self.mobile, "website": "", "currency_code": "USD",
                "currency_id": id(Space::Currency, 1), "payment_terms": 15, "payment_terms_label": "Net 15",
                "outstanding_receivable_amount": 0, "outstanding_payable_amount": 0, "language_code": "en",
                "custom_fields": [], "created_time": clock.print(self.created),
                "last_modified_time": clock.print(self.modified),
            }),
        );
        row
    }

    /// A contact by itself.
    pub(crate) fn detail(&self, clock: &Clock) -> Json {
        let mut detail = self.row(clock);
        let address = |number: u32| {
            json!({
                "address_id": id(Space::Address, self.number * 2 + number), "attention": "", "address": self.street,
                "street2": "", "city": self.city, "state": self.state[0], "state_code": self.state[1], "zip": self.zip,
                "country": self.country[0], "country_code": self.country[1], "phone": self.phone, "fax": "",
            })
        };
        let person = json!({
            "contact_person_id": id(Space::Person, self.number), "first_name": self.first_name,
            "last_name": self.last_name, "email": self.email, "phone": self.phone, "mobile": self.mobile,
            "is_primary_contact": true, "salutation": "",
        });
        extend(
            &mut detail,
            json!({
                "billing_address": address(0), "shipping_address": address(1), "contact_persons": [person],
                "notes": "", "tax_id": "",
            }),
        );
        Json::Object(detail)
    }

    /// `customer` or `vendor`.
    pub(crate) fn kind(&self) -> &'static str {
        if self.is_vendor { "vendor" } else { "customer" }
    }
}
