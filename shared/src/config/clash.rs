//! Pipelines that would write over each other for ever.

use super::pipeline::{OdooTarget, Pipeline, SinkConfig, SourceConfig};

/// What is wrong, and what to do, where both write a column of the same records of Odoo. They do where both find records
/// by the same column: whichever runs last would win, and the other would put it back.
pub(super) fn between(a: &Pipeline, b: &Pipeline) -> Option<(String, String)> {
    let (SinkConfig::Odoo(first), SinkConfig::Odoo(second)) = (&a.sink, &b.sink) else { return None };
    if first.server != second.server || table(first) != table(second) {
        return None;
    }
    let key = first.match_by.iter().find(|key| second.match_by.contains(key))?;
    let is_key = |name: &str| first.match_by.iter().chain(&second.match_by).any(|key| key == name);
    let theirs: Vec<&str> = fields(b);
    let both: Vec<&str> =
        fields(a).into_iter().filter(|name| theirs.contains(name) && !is_key(name)).take(3).collect();
    (!both.is_empty()).then(|| {
        (
            format!(
                "pipelines '{}' and '{}' both find records of '{}' by '{key}' and both write '{}'",
                a.name,
                b.name,
                second.model,
                both.join("', '")
            ),
            "take these columns out of one mapping, or `match_by` out of one pipeline".to_owned(),
        )
    })
}

/// A variant shows and writes its template's fields.
fn table(target: &OdooTarget) -> &str {
    if target.model == "product.product" { "product.template" } else { &target.model }
}

/// The fields of Odoo that a pipeline writes: `uom_id/id` is `uom_id`.
fn fields(pipeline: &Pipeline) -> Vec<&str> {
    let columns = match &pipeline.source {
        SourceConfig::Odoo(entity) => &entity.columns,
        SourceConfig::Zoho(entity) => &entity.columns,
    };
    columns.iter().filter_map(|column| column.column.name.split('/').next()).collect()
}
