//! Search domains: prefix notation read into a tree of tests, refused in each release's words.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::odoo::database::Database;
use crate::odoo::date::DateTest;
use crate::odoo::error::OdooError;
use crate::odoo::schema::{FieldId, Kind, ModelId};
use crate::odoo::settings::OdooVersion;
use crate::odoo::value::repr;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    In,
    NotIn,
    /// `like` and `ilike`: contains; the flag asks for the same case.
    Like {
        exact_case: bool,
    },
    NotLike {
        exact_case: bool,
    },
    /// `=like` and `=ilike`: the whole text matches the pattern.
    Pattern {
        exact_case: bool,
    },
    ChildOf,
}

/// A domain as a tree.
#[derive(Debug)]
pub(crate) enum Expr {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// `(1, '=', 1)` and its opposite.
    Always(bool),
    Leaf(Leaf),
}

/// One condition.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Relations to follow first, each with the model it leads to.
    pub(crate) path: Vec<(FieldId, ModelId)>,
    /// Model and field that are compared.
    pub(crate) model: ModelId,
    pub(crate) field: FieldId,
    pub(crate) op: Op,
    pub(crate) operand: Operand,
}

/// What a field is compared with.
#[derive(Debug)]
pub(crate) enum Operand {
    Date(DateTest),
    /// Ids, or false for "unset".
    Ids {
        ids: HashSet<i64>,
        unset: bool,
    },
    /// Names of related records.
    Names(Vec<String>),
    Values(Vec<Json>),
    /// A condition on the related records (`any`).
    Related(Box<Expr>, bool),
}

/// A dotted name: the relations to follow, then the last model and field.
type Resolved = (Vec<(FieldId, ModelId)>, ModelId, FieldId);

impl Database {
    /// Reads a domain for a model.
    pub(crate) fn domain(&self, model: ModelId, domain: &Json) -> Result<Expr, OdooError> {
        let items = match domain {
            Json::Array(items) => items,
            Json::Null | Json::Bool(false) => return Ok(Expr::All(Vec::new())),
            other => return Err(self.not_a_domain(other)),
        };
        let mut rest = items.as_slice();
        let mut all = Vec::new();
        while !rest.is_empty() {
            all.push(self.term(model, &mut rest, domain)?);
        }
        Ok(Expr::All(all))
    }

    fn is_modern(&self) -> bool {
        self.version >= OdooVersion::V19
    }

    fn not_a_domain(&self, domain: &Json) -> OdooError {
        if self.is_modern() {
            return OdooError::type_error(format!(
                "Domain() invalid argument type for domain: {}",
                repr(domain)
            ));
        }
        let message = "Domains to normalize must have a 'domain' form: a list or tuple of domain components";
        OdooError::new("builtins.AssertionError", message)
    }

    fn term(&self, model: ModelId, rest: &mut &[Json], whole: &Json) -> Result<Expr, OdooError> {
        let Some((first, tail)) = rest.split_first() else {
            return Err(OdooError::value(if self.is_modern() {
                format!("Domain() malformed domain {}", repr(whole))
            } else {
                format!("Domain {} is syntactically not correct.", repr(whole))
            }));
        };
        *rest = tail;
        match first {
            Json::String(operator) if operator == "!" => {
                Ok(Expr::Not(Box::new(self.term(model, rest, whole)?)))
            }
            Json::String(operator) if operator == "&" || operator == "|" => {
                let terms = vec![self.term(model, rest, whole)?, self.term(model, rest, whole)?];
                Ok(if operator == "&" { Expr::All(terms) } else { Expr::Any(terms) })
            }
            Json::Array(leaf) => self.leaf(model, leaf, first),
            other if self.is_modern() => {
                Err(OdooError::value(format!("Domain() invalid item in domain: {}", repr(other))))
            }
            other => Err(OdooError::value(format!("Invalid leaf {}", repr(other)))),
        }
    }

    fn leaf(&self, model: ModelId, leaf: &[Json], whole: &Json) -> Result<Expr, OdooError> {
        let [left, op, operand] = leaf else {
            return Err(if self.is_modern() {
                OdooError::value(format!("Domain() invalid item in domain: {}", repr(whole)))
            } else {
                OdooError::new("builtins.IndexError", "tuple index out of range")
            });
        };
        if let (Some(left), Some(right)) = (left.as_i64(), operand.as_i64()) {
            return Ok(Expr::Always((left == right) == (op.as_str() == Some("="))));
        }
        let place = if self.is_modern() { "condition" } else { "leaf" };
        let tuple = format!("({}, {}, {})", repr(left), repr(op), repr(operand));
        let op = op.as_str().map(str::to_lowercase).unwrap_or_default();
        if op == "any" || op == "not any" {
            return self.related(model, left.as_str().unwrap_or(""), operand, op == "any", &tuple);
        }
        let Some(op) = operator(&op) else {
            return Err(OdooError::value(if self.is_modern() {
                format!("Invalid operator in condition {tuple}")
            } else {
                format!("Invalid leaf {tuple}")
            }));
        };
        let unknown = |model: ModelId, field: &str| {
            let model = self.schema.model(model).name;
            OdooError::value(format!("Invalid field {model}.{field} in {place} {tuple}"))
        };
        let (path, model, field) = self.resolve(model, left.as_str().unwrap_or(""), unknown)?;
        let operand = self.operand(model, field, op, operand)?;
        Ok(Expr::Leaf(Leaf { path, model, field, op, operand }))
    }

    fn related(
        &self,
        model: ModelId,
        left: &str,
        inner: &Json,
        wanted: bool,
        tuple: &str,
    ) -> Result<Expr, OdooError> {
        let unknown = |model: ModelId, field: &str| {
            OdooError::value(format!(
                "Invalid field {}.{field} in leaf {tuple}",
                self.schema.model(model).name
            ))
        };
        let (path, model, field) = self.resolve(model, left, unknown)?;
        let relation = self.schema.model(model).field(field).map_or("", |field| field.relation);
        let Some(target) = self.schema.id(relation) else {
            return Ok(Expr::Always(!wanted));
        };
        let inner = self.domain(target, inner)?;
        let operand = Operand::Related(Box::new(inner), wanted);
        Ok(Expr::Leaf(Leaf { path, model, field, op: Op::In, operand }))
    }

    /// Follows a dotted name to its last field.
    fn resolve(
        &self,
        model: ModelId,
        left: &str,
        unknown: impl Fn(ModelId, &str) -> OdooError,
    ) -> Result<Resolved, OdooError> {
        let mut path = Vec::new();
        let mut at = model;
        let mut names = left.split('.').peekable();
        while let Some(name) = names.next() {
            let (id, field) = self.schema.model(at).named(name).ok_or_else(|| unknown(at, name))?;
            if names.peek().is_none() {
                return Ok((path, at, id));
            }
            let target = self.schema.id(field.relation).ok_or_else(|| unknown(at, name))?;
            path.push((id, target));
            at = target;
        }
        Err(unknown(at, left))
    }

    fn operand(&self, model: ModelId, field: FieldId, op: Op, operand: &Json) -> Result<Operand, OdooError> {
        let Some(field) = self.schema.model(model).field(field) else {
            return Ok(Operand::Values(Vec::new()));
        };
        let items: Vec<Json> = match operand {
            Json::Array(items) => items.clone(),
            one => vec![one.clone()],
        };
        let relational = field.name == "id" || matches!(field.kind, Kind::Many2one | Kind::ToMany);
        let comparing = matches!(op, Op::Greater | Op::GreaterEqual | Op::Less | Op::LessEqual);
        if field.kind == Kind::Datetime {
            return DateTest::new(self.version, op, operand).map(Operand::Date);
        }
        if relational && !comparing {
            if items.iter().any(Json::is_string) {
                let names = items.iter().filter_map(Json::as_str).map(str::to_owned);
                return Ok(Operand::Names(names.collect()));
            }
            let unset = items.iter().any(|item| matches!(item, Json::Bool(false) | Json::Null));
            return Ok(Operand::Ids { ids: items.iter().filter_map(Json::as_i64).collect(), unset });
        }
        Ok(Operand::Values(items))
    }
}

fn operator(op: &str) -> Option<Op> {
    Some(match op {
        "=" | "==" | "=?" => Op::Equal,
        "!=" | "<>" => Op::NotEqual,
        ">" => Op::Greater,
        ">=" => Op::GreaterEqual,
        "<" => Op::Less,
        "<=" => Op::LessEqual,
        "in" => Op::In,
        "not in" => Op::NotIn,
        "like" => Op::Like { exact_case: true },
        "ilike" => Op::Like { exact_case: false },
        "not like" => Op::NotLike { exact_case: true },
        "not ilike" => Op::NotLike { exact_case: false },
        "=like" => Op::Pattern { exact_case: true },
        "=ilike" => Op::Pattern { exact_case: false },
        "child_of" => Op::ChildOf,
        _ => return None,
    })
}

/// Whether a condition of the domain is about this field, as the hidden conditions on `active` ask.
pub(crate) fn mentions(domain: &Json, field: &str) -> bool {
    let Json::Array(items) = domain else { return false };
    items.iter().any(|item| match item {
        Json::Array(leaf) => leaf.first().and_then(Json::as_str) == Some(field),
        _ => false,
    })
}
