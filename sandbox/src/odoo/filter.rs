//! Whether a record fulfils a domain.

use serde_json::Value as Json;

use crate::odoo::database::Database;
use crate::odoo::domain::{Expr, Leaf, Op, Operand};
use crate::odoo::schema::{FieldId, Kind, ModelId};
use crate::odoo::value::{Value, is_truthy};

impl Database {
    pub(crate) fn fulfils(&self, expr: &Expr, model: ModelId, id: i64) -> bool {
        match expr {
            Expr::All(terms) => terms.iter().all(|term| self.fulfils(term, model, id)),
            Expr::Any(terms) => terms.iter().any(|term| self.fulfils(term, model, id)),
            Expr::Not(term) => !self.fulfils(term, model, id),
            Expr::Always(outcome) => *outcome,
            Expr::Leaf(leaf) => self.fulfils_leaf(leaf, model, id, &leaf.path),
        }
    }

    fn fulfils_leaf(&self, leaf: &Leaf, model: ModelId, id: i64, path: &[(FieldId, ModelId)]) -> bool {
        let Some(((relation, target), rest)) = path.split_first() else {
            return self.compare(leaf, id);
        };
        let related = self.value(model, id, *relation);
        match related {
            Value::Int(next) => self.fulfils_leaf(leaf, *target, next, rest),
            Value::Ids(ids) => ids.iter().any(|next| self.fulfils_leaf(leaf, *target, *next, rest)),
            _ => false,
        }
    }

    fn compare(&self, leaf: &Leaf, id: i64) -> bool {
        let described = self.schema.model(leaf.model);
        // Stamps and activity are asked of every record of a scan: they are answered without building a value.
        if let Operand::Date(test) = &leaf.operand
            && (leaf.field == described.write_date || leaf.field == described.create_date)
        {
            return test.accepts(self.stamp(leaf.model, id, leaf.field));
        }
        let Some(field) = described.field(leaf.field) else {
            return false;
        };
        if leaf.op == Op::ChildOf {
            return self.is_below(leaf, id);
        }
        if field.kind == Kind::Binary {
            let set = self.has_binary(leaf.model, id, field.name);
            let wanted = matches!(&leaf.operand, Operand::Values(values) if values.iter().any(is_truthy));
            return (set == wanted) == matches!(leaf.op, Op::Equal | Op::In);
        }
        let value = if field.name == "id" {
            Value::Int(id)
        } else if Some(leaf.field) == described.active {
            Value::Bool(self.is_active(leaf.model, id))
        } else {
            self.value(leaf.model, id, leaf.field)
        };
        match &leaf.operand {
            Operand::Date(test) => test.accepts(value.as_stamp()),
            Operand::Ids { ids, unset } => {
                let hit = match &value {
                    Value::Int(id) => ids.contains(id),
                    Value::Ids(all) => all.iter().any(|id| ids.contains(id)) || (*unset && all.is_empty()),
                    _ => *unset,
                };
                hit != matches!(leaf.op, Op::NotEqual | Op::NotIn)
            }
            Operand::Names(names) => self.named_so(leaf, field.relation, &value, names),
            Operand::Values(operands) => satisfies(field.kind, &value, leaf.op, operands),
            Operand::Related(inner, wanted) => {
                let Some(target) = self.schema.id(field.relation) else {
                    return false;
                };
                let hit = match &value {
                    Value::Int(id) => self.fulfils(inner, target, *id),
                    value => value.as_ids().iter().any(|id| self.fulfils(inner, target, *id)),
                };
                hit == *wanted
            }
        }
    }

    /// A relation compared with names.
    fn named_so(&self, leaf: &Leaf, relation: &str, value: &Value, names: &[String]) -> bool {
        let Some(target) = self.schema.id(relation) else {
            return false;
        };
        let ids: Vec<i64> = value.as_int().into_iter().chain(value.as_ids().iter().copied()).collect();
        let positive = match leaf.op {
            Op::NotEqual | Op::NotIn => Op::In,
            Op::NotLike { exact_case } => Op::Like { exact_case },
            op => op,
        };
        let operands: Vec<Json> = names.iter().map(|name| Json::String(name.clone())).collect();
        let hit = ids.iter().any(|id| {
            satisfies(Kind::Text, &Value::text(self.display_name(target, *id)), positive, &operands)
        });
        hit == (positive == leaf.op)
    }

    /// `child_of`: the record, or what its field points to, is one of these or below one of them.
    fn is_below(&self, leaf: &Leaf, id: i64) -> bool {
        let Operand::Ids { ids, .. } = &leaf.operand else {
            return false;
        };
        let Some(field) = self.schema.model(leaf.model).field(leaf.field) else {
            return false;
        };
        let (model, start) = if field.name == "id" {
            (leaf.model, Some(id))
        } else {
            let Some(target) = self.schema.id(field.relation) else {
                return false;
            };
            (target, self.value(leaf.model, id, leaf.field).as_int())
        };
        let mut at = start;
        for _ in 0..64 {
            let Some(current) = at else { return false };
            if ids.contains(&current) {
                return true;
            }
            at = self.named(model, current, "parent_id").as_int();
        }
        false
    }
}

/// A plain value against the operands of a condition.
fn satisfies(kind: Kind, value: &Value, op: Op, operands: &[Json]) -> bool {
    match op {
        Op::Equal | Op::In => operands.iter().any(|operand| equals(kind, value, operand)),
        Op::NotEqual | Op::NotIn => !operands.iter().any(|operand| equals(kind, value, operand)),
        Op::Like { exact_case } => operands
            .iter()
            .any(|operand| value_matches(value, &format!("%{}%", text_of(operand)), exact_case)),
        Op::NotLike { exact_case } => !operands
            .iter()
            .any(|operand| value_matches(value, &format!("%{}%", text_of(operand)), exact_case)),
        Op::Pattern { exact_case } => {
            operands.iter().any(|operand| value_matches(value, &text_of(operand), exact_case))
        }
        Op::Greater | Op::GreaterEqual | Op::Less | Op::LessEqual => operands.iter().any(|operand| {
            order(kind, value, operand).is_some_and(|order| match op {
                Op::Greater => order.is_gt(),
                Op::GreaterEqual => order.is_ge(),
                Op::Less => order.is_lt(),
                _ => order.is_le(),
            })
        }),
        Op::ChildOf => false,
    }
}

fn text_of(operand: &Json) -> String {
    match operand {
        Json::String(text) => text.clone(),
        Json::Bool(false) | Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn equals(kind: Kind, value: &Value, operand: &Json) -> bool {
    match operand {
        Json::Bool(false) | Json::Null => match value {
            Value::Null => true,
            Value::Bool(flag) => !flag,
            Value::Int(_) | Value::Float(_) => !value.is_truthy(),
            _ => false,
        },
        _ if kind == Kind::Boolean => value.is_truthy() == is_truthy(operand),
        _ => order(kind, value, operand).is_some_and(std::cmp::Ordering::is_eq),
    }
}

/// How a value stands to an operand; nothing when either is empty or they cannot be compared.
fn order(kind: Kind, value: &Value, operand: &Json) -> Option<std::cmp::Ordering> {
    let number = || operand.as_f64().or_else(|| operand.as_str().and_then(|text| text.trim().parse().ok()));
    match value {
        Value::Int(own) => as_float(*own).partial_cmp(&number()?),
        Value::Float(own) => own.partial_cmp(&number()?),
        Value::Null if matches!(kind, Kind::Integer | Kind::Float) => 0.0.partial_cmp(&number()?),
        Value::Text(own) | Value::Translated(own, _) => Some(own.as_ref().cmp(text_of(operand).as_str())),
        Value::Bool(own) => Some(own.cmp(&is_truthy(operand))),
        Value::Null | Value::Stamp(_) | Value::Ids(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "ids and counters are far below 2^53")]
fn as_float(number: i64) -> f64 {
    number as f64
}

fn value_matches(value: &Value, pattern: &str, exact_case: bool) -> bool {
    let Some(text) = value.as_text() else { return false };
    if exact_case { like(text, pattern) } else { like(&text.to_lowercase(), &pattern.to_lowercase()) }
}

/// SQL `LIKE`: `%` is any text, `_` one character, a backslash takes the next literally.
fn like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '%' => Token::Any,
            '_' => Token::One,
            '\\' => Token::Literal(characters.next().unwrap_or('\\')),
            other => Token::Literal(other),
        });
    }
    // The usual greedy walk: on a mismatch the last `%` swallows one character more.
    let (mut at, mut token, mut retry) = (0, 0, None);
    while at < text.len() {
        let fits = match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token, at));
                token += 1;
                continue;
            }
            Some(Token::One) => true,
            Some(Token::Literal(literal)) => text.get(at) == Some(literal),
            None => false,
        };
        if fits {
            (at, token) = (at + 1, token + 1);
        } else if let Some((any, from)) = retry {
            retry = Some((any, from + 1));
            (at, token) = (from + 1, any + 1);
        } else {
            return false;
        }
    }
    tokens.get(token..).is_some_and(|rest| rest.iter().all(|token| matches!(token, Token::Any)))
}

enum Token {
    Any,
    One,
    Literal(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_wildcards() {
        for (text, pattern, expected) in [
            ("F4201 s1", "F4201 s%", true),
            ("F4201 t1", "F4201 s%", false),
            ("abcabd", "%ab_", true),
            ("100%", "100\\%", true),
            ("100 ", "100\\%", false),
            ("", "%", true),
            ("", "", true),
            ("aXbXc", "a%X%c", true),
            ("日本", "_本", true),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
