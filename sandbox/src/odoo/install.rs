//! What every database holds before anybody works in it: countries, units, taxes, users, their external ids.

use crate::odoo::database::Database;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::table::Presence;
use crate::odoo::value::Value;

const COUNTRIES: [(i64, &str, &str, i64); 12] = [
    (20, "Belgium", "BE", 32),
    (38, "Canada", "CA", 1),
    (48, "China", "CN", 86),
    (57, "Germany", "DE", 49),
    (65, "Egypt", "EG", 20),
    (75, "France", "FR", 33),
    (104, "India", "IN", 91),
    (107, "Israel", "IL", 972),
    (109, "Italy", "IT", 39),
    (177, "Poland", "PL", 48),
    (231, "United Kingdom", "GB", 44),
    (233, "United States", "US", 1),
];

const STATES: [(i64, i64, &str, &str); 6] = [
    (13, 233, "California", "CA"),
    (41, 233, "New York", "NY"),
    (52, 233, "Texas", "TX"),
    (55, 38, "Ontario", "ON"),
    (588, 104, "Karnataka", "KA"),
    (593, 104, "Maharashtra", "MH"),
];

impl Database {
    /// Adds one record with a given id, its stamps and, when named, its external id.
    fn add(&mut self, model: ModelId, id: i64, xmlid: Option<&str>, columns: &[(&str, Value)]) {
        let described = self.schema.clone();
        let described = described.model(model);
        let mut all = vec![
            ("create_date", Value::Stamp(self.now)),
            ("write_date", Value::Stamp(self.now)),
            ("create_uid", Value::Int(1)),
            ("write_uid", Value::Int(1)),
        ];
        all.extend(columns.iter().cloned());
        let columns: Vec<_> =
            all.into_iter().filter_map(|(name, value)| Some((described.field_id(name)?, value))).collect();
        self.set(model, id, Presence::Changed(crate::odoo::table::Row::default()));
        self.set_columns(model, id, columns);
        self.table_mut(model).reserve(id);
        if let Some((module, name)) = xmlid.and_then(|xmlid| xmlid.split_once('.')) {
            let row = self.table_mut(model::DATA).next_id();
            self.add(
                model::DATA,
                row,
                None,
                &[
                    ("module", Value::text(module)),
                    ("name", Value::text(name)),
                    ("model", Value::text(described.name)),
                    ("res_id", Value::Int(id)),
                ],
            );
        }
    }

    /// Fills a fresh database.
    pub(crate) fn install(&mut self) {
        self.install_places();
        self.install_partners();
        self.install_units();
        self.install_accounting();
        self.install_languages();
        for (id, key, value) in [
            (1, "database.uuid", "6f9f1c9e-4f3a-11ef-9b0a-0242ac120002"),
            (2, "web.base.url", "http://127.0.0.1"),
        ] {
            self.add(model::PARAMETER, id, None, &[("key", Value::text(key)), ("value", Value::text(value))]);
        }
    }

    fn install_places(&mut self) {
        self.add(
            model::CURRENCY,
            1,
            Some("base.USD"),
            &[
                ("name", Value::text("USD")),
                ("full_name", Value::text("US dollar")),
                ("symbol", Value::text("$")),
                ("position", Value::text("before")),
            ],
        );
        for (id, name, code, phone) in COUNTRIES {
            let xmlid = format!("base.{}", code.to_lowercase());
            self.add(
                model::COUNTRY,
                id,
                Some(&xmlid),
                &[
                    ("name", Value::text(name)),
                    ("code", Value::text(code)),
                    ("phone_code", Value::Int(phone)),
                    ("currency_id", Value::Int(1)),
                ],
            );
        }
        for (id, country, name, code) in STATES {
            self.add(
                model::STATE,
                id,
                None,
                &[
                    ("name", Value::text(name)),
                    ("code", Value::text(code)),
                    ("country_id", Value::Int(country)),
                ],
            );
        }
    }

    /// Every database knows all languages; those that are installed are the active ones.
    fn install_languages(&mut self) {
        for (id, code, name) in [
            (1, "en_US", "English (US)"),
            (2, "de_DE", "German / Deutsch"),
            (3, "es_ES", "Spanish / Español"),
            (4, "fr_FR", "French / Français"),
            (5, "it_IT", "Italian / Italiano"),
        ] {
            let short = code.split('_').next().unwrap_or(code);
            let columns = [
                ("name", Value::text(name)),
                ("code", Value::text(code)),
                ("iso_code", Value::text(short)),
                ("url_code", Value::text(short)),
                ("active", Value::Bool(code == "en_US")),
            ];
            self.add(model::LANG, id, Some(&format!("base.lang_{short}")), &columns);
        }
    }

    fn install_partners(&mut self) {
        let restricted = if self.version == OdooVersion::V19 { 5 } else { 6 };
        let mut partners = vec![
            (1, "My Company", true, Some("base.main_partner")),
            (2, "OdooBot", false, Some("base.partner_root")),
            (3, "Administrator", true, Some("base.partner_admin")),
            (4, "Public user", false, Some("base.public_partner")),
            (5, "Portal User Template", false, Some("base.template_portal_user_id_res_partner")),
        ];
        if self.version == OdooVersion::V17 {
            partners.push((6, "Default User Template", false, Some("base.default_user_res_partner")));
        }
        let last = if self.version == OdooVersion::V17 { 7 } else { 6 };
        partners.push((last, "Plain User", true, None));
        for (id, name, active, xmlid) in partners {
            self.add(
                model::PARTNER,
                id,
                xmlid,
                &[
                    ("name", Value::text(name)),
                    ("active", Value::Bool(active)),
                    ("is_company", Value::Bool(id == 1)),
                    ("country_id", if id == 1 { Value::Int(233) } else { Value::Null }),
                    ("partner_share", Value::Bool(false)),
                ],
            );
        }
        self.add(
            model::COMPANY,
            1,
            Some("base.main_company"),
            &[
                ("name", Value::text("My Company")),
                ("partner_id", Value::Int(1)),
                ("country_id", Value::Int(233)),
            ],
        );
        for (id, login, active, partner) in [
            (1, "__system__", false, 2),
            (2, "admin", true, 3),
            (3, "public", false, 4),
            (4, "portaltemplate", false, 5),
            (restricted, "plain", true, last),
        ] {
            self.add(
                model::USERS,
                id,
                None,
                &[
                    ("login", Value::text(login)),
                    ("active", Value::Bool(active)),
                    ("partner_id", Value::Int(partner)),
                ],
            );
        }
    }

    fn install_units(&mut self) {
        if self.version < OdooVersion::V19 {
            for (id, name) in [
                (1, "Unit"),
                (2, "Weight"),
                (3, "Working Time"),
                (4, "Length / Distance"),
                (5, "Surface"),
                (6, "Volume"),
            ] {
                self.add(model::UOM_CATEGORY, id, None, &[("name", Value::text(name))]);
            }
        }
        for (id, name, category, factor, xmlid) in [
            (1, "Units", 1, 1.0, "uom.product_uom_unit"),
            (2, "Dozens", 1, 1.0 / 12.0, "uom.product_uom_dozen"),
            (3, "Days", 3, 1.0, "uom.product_uom_day"),
            (4, "Hours", 3, 8.0, "uom.product_uom_hour"),
            (5, "kg", 2, 1.0, "uom.product_uom_kgm"),
            (6, "g", 2, 1000.0, "uom.product_uom_gram"),
            (7, "m", 4, 1.0, "uom.product_uom_meter"),
            (8, "L", 6, 1.0, "uom.product_uom_litre"),
        ] {
            self.add(
                model::UOM,
                id,
                Some(xmlid),
                &[
                    ("name", Value::text(name)),
                    ("category_id", Value::Int(category)),
                    ("factor", Value::Float(factor)),
                    ("factor_inv", Value::Float(1.0 / factor)),
                    ("relative_factor", Value::Float(1.0)),
                    ("sequence", Value::Int(id * 10)),
                ],
            );
        }
    }

    fn install_accounting(&mut self) {
        let modern = self.version == OdooVersion::V19;
        let categories: [(i64, &str, Value, &str); 3] = if modern {
            [
                (1, "Goods", Value::Null, "product.product_category_goods"),
                (2, "Services", Value::Null, "product.product_category_services"),
                (3, "Expenses", Value::Null, "product.product_category_expenses"),
            ]
        } else {
            [
                (1, "All", Value::Null, "product.product_category_all"),
                (2, "Saleable", Value::Int(1), "product.product_category_1"),
                (3, "Expenses", Value::Int(1), "product.cat_expense"),
            ]
        };
        for (id, name, parent, xmlid) in categories {
            self.add(model::CATEGORY, id, Some(xmlid), &[("name", Value::text(name)), ("parent_id", parent)]);
        }
        for (id, usage) in [(1, "sale"), (2, "purchase")] {
            let xmlid = format!("account.1_{usage}_tax_template");
            self.add(
                model::TAX,
                id,
                Some(&xmlid),
                &[
                    ("name", Value::text("15%")),
                    ("type_tax_use", Value::text(usage)),
                    ("amount", Value::Float(15.0)),
                ],
            );
        }
    }
}
