//! The answer of `load`, which reports refused rows instead of raising.

use serde_json::Value;

use super::answer::Expected;
use super::exception::Exception;
use super::sentence::sentence;
use crate::failure::Failure;

/// What `load` did: everything or nothing.
#[derive(Debug, Clone)]
pub struct LoadAnswer {
    /// Ids in the order of the rows; `None` when a row was refused, and then nothing of the batch was written.
    pub ids: Option<Vec<i64>>,
    /// What Odoo remarked. After ten refused rows it may stop looking, so rows without a message are not proven good.
    pub messages: Vec<LoadMessage>,
    /// Where to go on when the context limited the batch, else 0.
    pub nextrow: u64,
}

/// A remark on one row, or on the batch.
#[derive(Debug, Clone)]
pub struct LoadMessage {
    /// Index of the row in the batch, from 0; `None` for a remark on the whole batch. Not always exact: of two rows with
    /// the same barcode Odoo 17 names the second, 18 and 19 both.
    pub record: Option<usize>,
    /// Technical name of the field, where it is one field's fault.
    pub field: Option<String>,
    /// What Odoo says, on one line.
    pub text: String,
    /// Why the row was refused: a serialization conflict is transient, a missing right systemic, everything else the
    /// record's fault. `None` for a warning, such as that a name matched several records: the row was taken.
    pub failure: Option<Failure>,
}

impl LoadAnswer {
    /// Reads the result; `None` when it has another shape.
    pub fn from_json(result: &Value, expected: &Expected<'_>) -> Option<Self> {
        let ids = match result.get("ids")? {
            Value::Bool(false) | Value::Null => None,
            Value::Array(ids) => Some(ids.iter().map(Value::as_i64).collect::<Option<Vec<_>>>()?),
            _ => return None,
        };
        let messages = match result.get("messages") {
            Some(Value::Array(messages)) => messages
                .iter()
                .map(|message| LoadMessage::from_json(message, expected))
                .collect::<Option<Vec<_>>>()?,
            _ => Vec::new(),
        };
        let nextrow = result.get("nextrow").and_then(Value::as_u64).unwrap_or(0);
        Some(Self { ids, messages, nextrow })
    }
}

impl LoadMessage {
    fn from_json(message: &Value, expected: &Expected<'_>) -> Option<Self> {
        let text = message.get("message")?.as_str()?;
        let record = message.get("record").and_then(Value::as_u64);
        let is_warning = matches!(message.get("type").and_then(Value::as_str), Some("warning" | "info"));
        let field = message.get("field").and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            record: record.and_then(|record| usize::try_from(record).ok()),
            field,
            text: sentence(text),
            failure: (!is_warning).then(|| Exception::of_row(text).into_failure(expected)),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::failure::{Class, Reason};
    use crate::odoo::{Call, Envelope, Operation, Place, Purpose, Row};

    fn parse(result: &Value) -> Option<LoadAnswer> {
        let place = Place::new("http://erp.example", "shop", Some("admin")).unwrap();
        let operation = Operation::Load { fields: &[], rows: &[] };
        let call = Call { model: "product.template", operation, context: Row::new() };
        let purpose = Purpose::Call(&call);
        LoadAnswer::from_json(result, &Expected { place: &place, purpose, envelope: Envelope::Bare })
    }

    #[test]
    fn row_failures_have_the_class_of_their_evidence() {
        let class = |text: &str| {
            let messages = json!([{"record": 3, "type": "error", "message": text, "field": "list_price"}]);
            let answer = parse(&json!({"ids": false, "messages": messages, "nextrow": 0})).unwrap();
            assert!(answer.ids.is_none());
            let message = answer.messages[0].clone();
            assert_eq!(message.record, Some(3));
            let failure = message.failure.unwrap();
            (failure.class, failure.reason)
        };
        assert_eq!(
            class("could not serialize access due to concurrent update\n"),
            (Class::Transient, Reason::Conflict)
        );
        assert_eq!(
            class(
                "You are not allowed to create 'Product' (product.template) records.\n\nThis operation is allowed for the following groups:\n\t- Products/Create"
            ),
            (Class::Systemic, Reason::Rights)
        );
        assert_eq!(
            class("'abc' does not seem to be a number for field 'Sales Price'"),
            (Class::Permanent, Reason::BadRecord)
        );
    }

    #[test]
    fn remark_on_the_batch_has_no_row() {
        let messages = json!([{"type": "warning", "message": "Found more than 10 errors and more than one error per 10 records, interrupted to avoid showing too many errors."}]);
        let answer = parse(&json!({"ids": [1, 2], "messages": messages, "nextrow": 4})).unwrap();
        assert_eq!(answer.ids, Some(vec![1, 2]));
        assert_eq!(answer.nextrow, 4);
        assert_eq!(answer.messages[0].record, None);
        assert!(answer.messages[0].failure.is_none());
    }

    #[test]
    fn another_shape_is_none() {
        for result in [
            json!(null),
            json!([]),
            json!({}),
            json!({"ids": ["1"]}),
            json!({"ids": true}),
            json!({"ids": [1], "messages": [1]}),
        ] {
            assert!(parse(&result).is_none(), "{result}");
        }
    }
}
