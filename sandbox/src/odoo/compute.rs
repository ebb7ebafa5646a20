//! Values that are worked out when read.

use crate::odoo::database::Database;
use crate::odoo::schema::{ModelId, model};
use crate::odoo::value::Value;

impl Database {
    /// The name a many2one shows for the record; empty when it has none.
    pub(crate) fn display_name(&self, model: ModelId, id: i64) -> String {
        let name = || self.text(model, id, "name").unwrap_or_default().into_string();
        match model {
            model::TEMPLATE | model::PRODUCT => match self.text(model, id, "default_code") {
                Some(code) if !code.is_empty() => format!("[{code}] {}", name()),
                _ => name(),
            },
            model::PARTNER => self.partner_name(id),
            model::CATEGORY => self.category_path(id),
            model::DATA => self.external_name(id),
            model::PARAMETER => self.text(model, id, "key").unwrap_or_default().into_string(),
            model::STATE => {
                let country = self.named(model, id, "country_id").as_int();
                let code = country.and_then(|country| self.text(model::COUNTRY, country, "code"));
                format!("{} ({})", name(), code.unwrap_or_default())
            }
            model::USERS => self
                .named(model, id, "partner_id")
                .as_int()
                .and_then(|partner| self.text(model::PARTNER, partner, "name"))
                .unwrap_or_default()
                .into_string(),
            _ => name(),
        }
    }

    fn partner_name(&self, id: i64) -> String {
        let name = self.text(model::PARTNER, id, "name").unwrap_or_default().into_string();
        let parent = self.named(model::PARTNER, id, "parent_id").as_int();
        let parent = parent.and_then(|parent| self.text(model::PARTNER, parent, "name"));
        match parent {
            Some(parent) if !self.named(model::PARTNER, id, "is_company").is_truthy() => {
                format!("{parent}, {name}")
            }
            _ => name,
        }
    }

    fn category_path(&self, id: i64) -> String {
        let mut parts = Vec::new();
        let mut at = Some(id);
        // A cycle cannot be written, but the walk is bounded all the same.
        while let Some(category) = at.filter(|_| parts.len() < 64) {
            parts.push(self.text(model::CATEGORY, category, "name").unwrap_or_default());
            at = self.named(model::CATEGORY, category, "parent_id").as_int();
        }
        parts.reverse();
        parts.join(" / ")
    }

    fn external_name(&self, id: i64) -> String {
        let part = |field| self.text(model::DATA, id, field).unwrap_or_default();
        format!("{}.{}", part("module"), part("name"))
    }

    /// A computed field of any model.
    pub(crate) fn computed(&self, model: ModelId, id: i64, field: &str) -> Value {
        let text = |text: String| {
            if text.is_empty() { Value::Null } else { Value::text(text) }
        };
        match (model, field) {
            (_, "id") => Value::Int(id),
            (_, "display_name") | (model::PRODUCT, "partner_ref") | (model::USERS, "name") => {
                text(self.display_name(model, id))
            }
            (model::TEMPLATE, "product_variant_ids") => {
                let active = self.variants(id).into_iter().filter(|id| self.is_active(model::PRODUCT, *id));
                Value::Ids(active.collect())
            }
            (model::TEMPLATE, "product_variant_count") => {
                let active =
                    self.variants(id).into_iter().filter(|id| self.is_active(model::PRODUCT, *id)).count();
                Value::Int(i64::try_from(active).unwrap_or(0))
            }
            (model::TEMPLATE, "product_variant_id") => {
                let first = self.variants(id).into_iter().find(|id| self.is_active(model::PRODUCT, *id));
                first.map_or(Value::Null, Value::Int)
            }
            (model::TEMPLATE, "uom_name") => {
                let uom = self.named(model, id, "uom_id").as_int();
                uom.map_or(Value::Null, |uom| text(self.display_name(model::UOM, uom)))
            }
            (model::PRODUCT, "lst_price") => self.named(model, id, "list_price"),
            (model::PRODUCT, "code") => self.named(model, id, "default_code"),
            (model::CATEGORY, "complete_name") => text(self.category_path(id)),
            (model::CATEGORY, "parent_path") => text(self.category_ids(id)),
            (model::CATEGORY, "child_id") => self.below(model, "parent_id", id),
            (model::DATA, "complete_name") => text(self.external_name(id)),
            (model::DATA, "reference") => {
                let target = self.named(model, id, "res_id").as_int().unwrap_or(0);
                text(format!("{},{target}", self.text(model, id, "model").unwrap_or_default()))
            }
            (model::USERS, "email") => {
                let partner = self.named(model, id, "partner_id").as_int();
                partner.map_or(Value::Null, |partner| self.named(model::PARTNER, partner, "email"))
            }
            (model::COUNTRY, "state_ids") => self.below(model::STATE, "country_id", id),
            (model::PARTNER, _) => self.computed_partner(id, field),
            _ => Value::Null,
        }
    }

    fn computed_partner(&self, id: i64, field: &str) -> Value {
        let own = |name: &str| self.named(model::PARTNER, id, name);
        let text = |text: String| {
            if text.is_empty() { Value::Null } else { Value::text(text) }
        };
        let is_company = || own("is_company").is_truthy();
        match field {
            "complete_name" => text(self.partner_name(id)),
            "self" => Value::Int(id),
            "company_type" => Value::text(if is_company() { "company" } else { "person" }),
            "parent_name" => own("parent_id")
                .as_int()
                .map_or(Value::Null, |parent| self.named(model::PARTNER, parent, "name")),
            "country_code" => own("country_id")
                .as_int()
                .map_or(Value::Null, |country| self.named(model::COUNTRY, country, "code")),
            "commercial_partner_id" => Value::Int(self.commercial(id)),
            "commercial_company_name" => {
                let head = self.commercial(id);
                let is_company = self.named(model::PARTNER, head, "is_company").is_truthy();
                if is_company { self.named(model::PARTNER, head, "name") } else { own("company_name") }
            }
            "email_normalized" => {
                let email = own("email").as_text().map(|email| email.trim().to_lowercase());
                email.filter(|email| email.contains('@')).map_or(Value::Null, Value::text)
            }
            "email_formatted" => match (own("name").as_text(), own("email").as_text()) {
                (Some(name), Some(email)) => Value::text(format!("\"{name}\" <{email}>")),
                _ => Value::Null,
            },
            "contact_address" => {
                let lines = ["street", "street2", "city", "zip"].map(own);
                Value::text(
                    lines.iter().map(|line| line.as_text().unwrap_or("")).collect::<Vec<_>>().join("\n"),
                )
            }
            "child_ids" => self.partner_children(id),
            _ => Value::Null,
        }
    }

    fn commercial(&self, id: i64) -> i64 {
        let mut at = id;
        for _ in 0..64 {
            if self.named(model::PARTNER, at, "is_company").is_truthy() {
                break;
            }
            let Some(parent) = self.named(model::PARTNER, at, "parent_id").as_int() else {
                break;
            };
            at = parent;
        }
        at
    }

    fn partner_children(&self, id: i64) -> Value {
        let changed = self.index.children.get(&id).into_iter().flatten().copied();
        // A seeded company's contacts have the three ids after it.
        let near = (id + 1..id + 4).filter(|child| {
            self.exists(model::PARTNER, *child)
                && self.named(model::PARTNER, *child, "parent_id").as_int() == Some(id)
        });
        let mut ids: Vec<i64> =
            changed.chain(near).filter(|id| self.is_active(model::PARTNER, *id)).collect();
        ids.sort_unstable();
        ids.dedup();
        Value::Ids(ids.into())
    }

    fn category_ids(&self, id: i64) -> String {
        let mut ids = vec![id];
        while let Some(parent) = ids
            .last()
            .and_then(|id| self.named(model::CATEGORY, *id, "parent_id").as_int())
            .filter(|_| ids.len() < 64)
        {
            ids.push(parent);
        }
        let ids: Vec<String> = ids.iter().rev().map(i64::to_string).collect();
        format!("{}/", ids.join("/"))
    }

    /// Records of a small table whose many2one points here.
    fn below(&self, model: ModelId, field: &str, id: i64) -> Value {
        let ids = self.table(model).ids(i64::MIN, i64::MAX);
        Value::Ids(ids.filter(|below| self.named(model, *below, field).as_int() == Some(id)).collect())
    }
}
