//! Models and fields of each release.
//!
//! The tables beside this file hold the public schema as `fields_get` of real servers describes it: one field a
//! line, tab-separated: releases (7, 8, 9), name, type, flags (`r`equired, read`o`nly, `s`tored, `t`ranslated,
//! `c`ompany-dependent), related model, label, selection, digits, default, help.

mod field;

use std::collections::HashMap;

use crate::odoo::settings::OdooVersion;
use field::route;
pub(crate) use field::{Field, Kind, Route};

/// Index of a field inside its model.
pub(crate) type FieldId = u16;
/// Index of a model inside the schema.
pub(crate) type ModelId = usize;

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) fields: Vec<Field>,
    index: HashMap<&'static str, FieldId>,
    /// The order of a search that names none.
    pub(crate) order: &'static str,
    pub(crate) active: Option<FieldId>,
    pub(crate) write_date: FieldId,
    pub(crate) create_date: FieldId,
}

impl Model {
    pub(crate) fn field_id(&self, name: &str) -> Option<FieldId> {
        self.index.get(name).copied()
    }

    pub(crate) fn field(&self, id: FieldId) -> Option<&Field> {
        self.fields.get(usize::from(id))
    }

    pub(crate) fn named(&self, name: &str) -> Option<(FieldId, &Field)> {
        let id = self.field_id(name)?;
        self.field(id).map(|field| (id, field))
    }

    /// The class name Python quotes in `TypeError`s: `product.template` is `ProductTemplate`.
    pub(crate) fn class_name(&self) -> String {
        self.name
            .split('.')
            .map(|part| {
                let (first, rest) = part.split_at_checked(1).unwrap_or((part, ""));
                first.to_uppercase() + rest
            })
            .collect()
    }
}

/// All models of one release.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) models: Vec<Model>,
    /// `product_tmpl_id` of a variant.
    pub(crate) template_of_variant: Option<FieldId>,
}

const PARTNER: &str = include_str!("schema/res.partner.tsv");
const TEMPLATE: &str = include_str!("schema/product.template.tsv");
const PRODUCT: &str = include_str!("schema/product.product.tsv");
const CATEGORY: &str = include_str!("schema/product.category.tsv");
const PRICELIST_ITEM: &str = include_str!("schema/product.pricelist.item.tsv");
const UOM: &str = include_str!("schema/uom.uom.tsv");
const UOM_CATEGORY: &str = include_str!("schema/uom.category.tsv");
const TAX: &str = include_str!("schema/account.tax.tsv");
const COUNTRY: &str = include_str!("schema/res.country.tsv");
const STATE: &str = include_str!("schema/res.country.state.tsv");
const DATA: &str = include_str!("schema/ir.model.data.tsv");
const ATTACHMENT: &str = include_str!("schema/ir.attachment.tsv");
const USERS: &str = include_str!("schema/res.users.tsv");
const COMPANY: &str = include_str!("schema/res.company.tsv");
const CURRENCY: &str = include_str!("schema/res.currency.tsv");
const LANG: &str = include_str!("schema/res.lang.tsv");
const PARAMETER: &str = include_str!("schema/ir.config_parameter.tsv");

/// Indices of the models the code names; the order of [`Schema::of`].
pub(crate) mod model {
    use super::ModelId;
    pub(crate) const PARTNER: ModelId = 0;
    pub(crate) const TEMPLATE: ModelId = 1;
    pub(crate) const PRODUCT: ModelId = 2;
    pub(crate) const CATEGORY: ModelId = 3;
    pub(crate) const UOM: ModelId = 4;
    pub(crate) const TAX: ModelId = 5;
    pub(crate) const COUNTRY: ModelId = 6;
    pub(crate) const STATE: ModelId = 7;
    pub(crate) const DATA: ModelId = 8;
    pub(crate) const ATTACHMENT: ModelId = 9;
    pub(crate) const USERS: ModelId = 10;
    pub(crate) const COMPANY: ModelId = 11;
    pub(crate) const CURRENCY: ModelId = 12;
    pub(crate) const PARAMETER: ModelId = 13;
    pub(crate) const LANG: ModelId = 15;
    pub(crate) const UOM_CATEGORY: ModelId = 16;
}

impl Schema {
    pub(crate) fn of(version: OdooVersion) -> Self {
        let modern = version >= OdooVersion::V18;
        let product_order = if modern {
            "is_favorite desc, name, default_code, id"
        } else {
            "priority desc, default_code, name, id"
        };
        let template_order = if modern { "is_favorite desc, name, id" } else { "priority desc, name, id" };
        let uom_order =
            if version < OdooVersion::V19 { "factor desc, id" } else { "sequence, relative_uom_id, id" };
        let load = |name, description, order, tables: &[&'static str]| {
            Model::load(version, name, description, order, tables)
        };
        let mut models = vec![
            load("res.partner", "Contact", "complete_name asc, id desc", &[PARTNER]),
            load("product.template", "Product", template_order, &[TEMPLATE]),
            load("product.product", "Product Variant", product_order, &[PRODUCT, TEMPLATE]),
            load("product.category", "Product Category", "complete_name, id", &[CATEGORY]),
            load("uom.uom", "Product Unit of Measure", uom_order, &[UOM]),
            load("account.tax", "Tax", "sequence, id", &[TAX]),
            load("res.country", "Country", "name, id", &[COUNTRY]),
            load("res.country.state", "Country state", "code, id", &[STATE]),
            load("ir.model.data", "Model Data", "module, model, name, id", &[DATA]),
            load("ir.attachment", "Attachment", "id desc", &[ATTACHMENT]),
            load("res.users", "User", "name, login, id", &[USERS]),
            load("res.company", "Companies", "sequence, name, id", &[COMPANY]),
            load("res.currency", "Currency", "active desc, name, id", &[CURRENCY]),
            load("ir.config_parameter", "System Parameter", "key, id", &[PARAMETER]),
            load("product.pricelist.item", "Pricelist Rule", "min_quantity desc, id", &[PRICELIST_ITEM]),
            load("res.lang", "Languages", "active desc, name, id", &[LANG]),
        ];
        if version < OdooVersion::V19 {
            models.push(load("uom.category", "Product UoM Categories", "name, id", &[UOM_CATEGORY]));
        }
        let variant = models.get(model::PRODUCT);
        let template_of_variant = variant.and_then(|variant: &Model| variant.field_id("product_tmpl_id"));
        Self { models, template_of_variant }
    }

    pub(crate) fn id(&self, name: &str) -> Option<ModelId> {
        self.models.iter().position(|model| model.name == name)
    }

    /// The model at an index this schema gave out.
    pub(crate) fn model(&self, id: ModelId) -> &Model {
        self.models.get(id).expect("model indices come from this schema")
    }
}

impl Model {
    fn load(
        version: OdooVersion,
        name: &'static str,
        description: &'static str,
        order: &'static str,
        tables: &[&'static str],
    ) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        let mut index = HashMap::new();
        let digit = match version {
            OdooVersion::V17 => '7',
            OdooVersion::V18 => '8',
            OdooVersion::V19 => '9',
        };
        for (table, text) in tables.iter().enumerate() {
            for line in text.lines() {
                let Some(mut field) = Field::parse(line, digit) else {
                    continue;
                };
                if index.contains_key(field.name) {
                    continue;
                }
                field.route = if table > 0 { Route::Template } else { route(name, field.name) };
                let id = FieldId::try_from(fields.len()).expect("a model has fewer than 65536 fields");
                index.insert(field.name, id);
                fields.push(field);
            }
        }
        let known = |field: &str| index.get(field).copied();
        let active = known("active");
        let write_date = known("write_date").expect("every table lists write_date");
        let create_date = known("create_date").expect("every table lists create_date");
        Self { name, description, fields, index, order, active, write_date, create_date }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_differ_in_their_fields() {
        let count = |version| Schema::of(version).model(model::TEMPLATE).fields.len();
        assert_eq!(
            [count(OdooVersion::V17), count(OdooVersion::V18), count(OdooVersion::V19)],
            [118, 122, 125]
        );
        let schema = Schema::of(OdooVersion::V19);
        let template = schema.model(model::TEMPLATE);
        assert!(template.field_id("uom_po_id").is_none());
        assert!(!template.named("categ_id").unwrap().1.required);
        assert_eq!(template.class_name(), "ProductTemplate");
        assert_eq!(template.named("list_price").unwrap().1.decimals(), Some(2));
    }

    #[test]
    fn model_indices_follow_the_list() {
        for version in [OdooVersion::V17, OdooVersion::V18, OdooVersion::V19] {
            let schema = Schema::of(version);
            for (name, id) in [
                ("res.partner", model::PARTNER),
                ("product.template", model::TEMPLATE),
                ("product.product", model::PRODUCT),
                ("product.category", model::CATEGORY),
                ("uom.uom", model::UOM),
                ("account.tax", model::TAX),
                ("res.country", model::COUNTRY),
                ("res.country.state", model::STATE),
                ("ir.model.data", model::DATA),
                ("ir.attachment", model::ATTACHMENT),
                ("res.users", model::USERS),
                ("res.company", model::COMPANY),
                ("res.currency", model::CURRENCY),
                ("ir.config_parameter", model::PARAMETER),
            ] {
                assert_eq!(schema.id(name), Some(id));
            }
        }
        assert_eq!(Schema::of(OdooVersion::V18).id("uom.category"), Some(model::UOM_CATEGORY));
        assert_eq!(Schema::of(OdooVersion::V19).id("uom.category"), None);
    }
}
