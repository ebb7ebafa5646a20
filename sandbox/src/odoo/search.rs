//! Finding records: candidates from id bounds and look-ups, then the domain, then the order.

use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::odoo::database::Database;
use crate::odoo::domain::{Expr, Op, Operand, mentions};
use crate::odoo::error::OdooError;
use crate::odoo::schema::{FieldId, Kind, ModelId, Route, model};
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::Value;

/// A search as a caller asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    pub(crate) model: ModelId,
    pub(crate) domain: &'a Json,
    /// False shows archived records too.
    pub(crate) active_test: bool,
    /// Empty takes the model's own order.
    pub(crate) order: &'a str,
    pub(crate) offset: usize,
    pub(crate) limit: Option<usize>,
}

/// One part of an order.
struct OrderBy {
    field: FieldId,
    descending: bool,
}

enum Candidates {
    Range(i64, i64),
    Ids(Vec<i64>),
}

impl Database {
    /// The ids a query finds, in order.
    pub(crate) fn search(&self, query: Query<'_>) -> Result<Vec<i64>, OdooError> {
        let (expr, model) = (self.condition(query)?, query.model);
        let order = self.order_by(model, query.order)?;
        let found = |id: &i64| !self.ruled_out.contains(&(model, *id)) && self.fulfils(&expr, model, *id);
        let limit = query.limit.unwrap_or(usize::MAX);
        let by_id = order.first().is_none_or(|first| self.is_id(model, first.field) && !first.descending);
        Ok(match self.candidates(model, &expr) {
            Candidates::Range(low, high) if by_id => {
                self.table(model).ids(low, high).filter(found).skip(query.offset).take(limit).collect()
            }
            Candidates::Range(low, high) => {
                let ids = self.table(model).ids(low, high).filter(found).collect();
                self.sorted(model, ids, &order).into_iter().skip(query.offset).take(limit).collect()
            }
            Candidates::Ids(ids) => {
                let mut ids: Vec<i64> =
                    ids.into_iter().filter(|id| self.exists(model, *id)).filter(|id| found(id)).collect();
                ids.sort_unstable();
                ids.dedup();
                let ids = if by_id { ids } else { self.sorted(model, ids, &order) };
                ids.into_iter().skip(query.offset).take(limit).collect()
            }
        })
    }

    /// How many records a query finds, up to its limit.
    pub(crate) fn count(&self, query: Query<'_>) -> Result<usize, OdooError> {
        let expr = self.condition(query)?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let found =
            |id: &i64| !self.ruled_out.contains(&(query.model, *id)) && self.fulfils(&expr, query.model, *id);
        Ok(match self.candidates(query.model, &expr) {
            Candidates::Range(low, high) => {
                self.table(query.model).ids(low, high).filter(found).take(limit).count()
            }
            Candidates::Ids(ids) => {
                let exists = |id: &i64| self.exists(query.model, *id);
                ids.into_iter().filter(exists).filter(|id| found(id)).take(limit).count()
            }
        })
    }

    /// The domain with the conditions Odoo adds by itself.
    fn condition(&self, query: Query<'_>) -> Result<Expr, OdooError> {
        let mut terms = vec![self.domain(query.model, query.domain)?];
        let described = self.schema.model(query.model);
        if described.active.is_some() && query.active_test && !mentions(query.domain, "active") {
            // Last, so that cheaper conditions decide first.
            terms.push(self.domain(query.model, &serde_json::json!([["active", "=", true]]))?);
        }
        let hides_fields = query.model == model::ATTACHMENT;
        if hides_fields && !mentions(query.domain, "res_field") && !mentions(query.domain, "id") {
            terms.push(self.domain(query.model, &serde_json::json!([["res_field", "=", false]]))?);
        }
        Ok(Expr::All(terms))
    }

    fn is_id(&self, model: ModelId, field: FieldId) -> bool {
        self.schema.model(model).field(field).is_some_and(|field| field.name == "id")
    }

    /// The smallest set of records that has to be looked at.
    fn candidates(&self, model: ModelId, expr: &Expr) -> Candidates {
        let mut leaves = Vec::new();
        conjunction(expr, &mut leaves);
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        for leaf in leaves.iter().filter(|leaf| leaf.path.is_empty() && self.is_id(model, leaf.field)) {
            match (&leaf.operand, leaf.op) {
                (Operand::Ids { ids, .. }, Op::Equal | Op::In) => {
                    return Candidates::Ids(ids.iter().copied().collect());
                }
                (Operand::Values(values), op) => {
                    let Some(bound) = values.first().and_then(Json::as_i64) else {
                        continue;
                    };
                    match op {
                        Op::Greater => low = low.max(bound.saturating_add(1)),
                        Op::GreaterEqual => low = low.max(bound),
                        Op::Less => high = high.min(bound.saturating_sub(1)),
                        Op::LessEqual => high = high.min(bound),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        self.looked_up(model, &leaves).map_or(Candidates::Range(low, high), Candidates::Ids)
    }

    fn looked_up(&self, model: ModelId, leaves: &[&crate::odoo::domain::Leaf]) -> Option<Vec<i64>> {
        let given = |name: &str| {
            let field = self.schema.model(model).field_id(name)?;
            leaves.iter().find(|leaf| {
                leaf.path.is_empty() && leaf.field == field && matches!(leaf.op, Op::Equal | Op::In)
            })
        };
        let texts = |name: &str| match &given(name)?.operand {
            Operand::Values(values) => values.iter().map(Json::as_str).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let numbers = |name: &str| match &given(name)?.operand {
            Operand::Values(values) => values.iter().map(Json::as_i64).collect::<Option<Vec<_>>>(),
            Operand::Ids { ids, unset: false } => Some(ids.iter().copied().collect()),
            _ => None,
        };
        match model {
            model::DATA => {
                if let (Some(modules), Some(names)) = (texts("module"), texts("name")) {
                    let names = modules
                        .iter()
                        .flat_map(|module| names.iter().map(move |name| format!("{module}.{name}")));
                    return Some(
                        names.filter_map(|name| self.index.external.get(name.as_str()).copied()).collect(),
                    );
                }
                let (models, ids) = (texts("model")?, numbers("res_id")?);
                Some(
                    models
                        .iter()
                        .flat_map(|model| ids.iter().flat_map(|id| self.external_ids(model, *id)))
                        .collect(),
                )
            }
            model::ATTACHMENT => {
                let (models, ids) = (texts("res_model")?, numbers("res_id")?);
                Some(
                    models
                        .iter()
                        .flat_map(|model| ids.iter().flat_map(|id| self.attachments(model, *id)))
                        .collect(),
                )
            }
            model::PRODUCT => {
                Some(numbers("product_tmpl_id")?.into_iter().flat_map(|id| self.variants(id)).collect())
            }
            _ => None,
        }
    }

    fn order_by(&self, model: ModelId, order: &str) -> Result<Vec<OrderBy>, OdooError> {
        let described = self.schema.model(model);
        let text = if order.is_empty() { described.order } else { order };
        let mut parts = Vec::new();
        for part in text.split(',') {
            let mut words = part.split_whitespace();
            let name = words.next().unwrap_or("");
            let direction = words.next().map(str::to_lowercase);
            let valid = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:.\"".contains(&byte));
            let descending = match direction.as_deref() {
                None | Some("asc") => Some(false),
                Some("desc") => Some(true),
                Some(_) => None,
            };
            let Some(descending) = descending.filter(|_| valid && words.next().is_none()) else {
                return Err(OdooError::user(format!(
                    "Invalid \"order\" specified ({text}). A valid \"order\" specification is a comma-separated list \
                     of valid field names (optionally followed by asc/desc for the direction)"
                )));
            };
            let Some((field, found)) = described.named(name.trim_matches('"')) else {
                let message = format!("Invalid field '{name}' on model '{}'", described.name);
                return Err(OdooError::value(message));
            };
            let stored =
                found.store || found.route == Route::Own && !found.readonly && found.company_dependent;
            if stored || order.is_empty() {
                parts.push(OrderBy { field, descending });
            } else if self.version >= OdooVersion::V18 {
                let message =
                    format!("Cannot convert {}.{name} to SQL because it is not stored", described.name);
                return Err(OdooError::value(message));
            }
        }
        Ok(parts)
    }

    fn sorted(&self, model: ModelId, ids: Vec<i64>, order: &[OrderBy]) -> Vec<i64> {
        let mut keyed: Vec<(Vec<Value>, i64)> = ids
            .into_iter()
            .map(|id| (order.iter().map(|part| self.sort_key(model, id, part.field)).collect(), id))
            .collect();
        keyed.sort_by(|(left, left_id), (right, right_id)| {
            let parts = left.iter().zip(right).zip(order);
            parts
                .map(|((left, right), part)| compare(left, right, part.descending))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left_id.cmp(right_id))
        });
        keyed.into_iter().map(|(_, id)| id).collect()
    }

    fn sort_key(&self, model: ModelId, id: i64, field: FieldId) -> Value {
        let described = self.schema.model(model);
        if field == described.write_date || field == described.create_date {
            return self.stamp(model, id, field).map_or(Value::Null, Value::Stamp);
        }
        let Some(field_of) = described.field(field) else {
            return Value::Null;
        };
        match (field_of.kind, self.value(model, id, field)) {
            (Kind::Many2one, Value::Int(target)) => match self.schema.id(field_of.relation) {
                Some(relation) => Value::text(self.display_name(relation, target)),
                None => Value::Int(target),
            },
            (Kind::Boolean, value) => Value::Bool(value.is_truthy()),
            (_, value) => value,
        }
    }
}

fn conjunction<'a>(expr: &'a Expr, leaves: &mut Vec<&'a crate::odoo::domain::Leaf>) {
    match expr {
        Expr::All(terms) => terms.iter().for_each(|term| conjunction(term, leaves)),
        Expr::Leaf(leaf) => leaves.push(leaf),
        Expr::Any(_) | Expr::Not(_) | Expr::Always(_) => {}
    }
}

/// As `PostgreSQL` sorts: text by bytes, empty values last, and first when descending.
fn compare(left: &Value, right: &Value, descending: bool) -> Ordering {
    let order = match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
        (Value::Stamp(left), Value::Stamp(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => Ordering::Equal,
    };
    if descending { order.reverse() } else { order }
}
