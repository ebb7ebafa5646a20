//! `unbind`: takes a record's external id away in Odoo, so that it is nobody's again. The record itself stays.

use std::sync::Arc;

use serde_json::json;
use shared::config::{Config, SinkConfig};
use shared::failure::Failure;
use shared::record::RecordKey;

use crate::arguments::Unbind;
use crate::exit::Exit;
use crate::output::Output;
use shared::systems::Systems;

pub(crate) async fn run(config: &Arc<Config>, unbind: &Unbind) -> Result<Exit, Failure> {
    let output = Output::new(unbind.json);
    let chosen = config.choose(std::slice::from_ref(&unbind.pipeline))?;
    let Some(pipeline) = chosen.first() else {
        return Ok(Exit::Done);
    };
    let SinkConfig::Odoo(target) = &pipeline.sink else {
        return Err(Failure::configuration(format!("pipeline '{}' does not write Odoo", pipeline.name))
            .advise("only records of Odoo are bound by external ids"));
    };
    let keys: Vec<RecordKey> = unbind
        .keys
        .iter()
        .map(|key| {
            key.parse().map_err(|error: shared::record::InvalidName| {
                Failure::configuration(error.to_string()).advise("name the record by its key in the source")
            })
        })
        .collect::<Result<_, Failure>>()?;
    let systems = Systems::new(Arc::clone(config));
    let client = systems.odoo(&target.server).await?;
    let mut sink = worker::open::odoo_sink(pipeline, target, client).await?;
    let mut unbound = Vec::new();
    for key in &keys {
        let was_bound = sink.unbind(key).await?;
        output.line(if was_bound {
            format!("{key}: unbound; its record in Odoo stays as it is")
        } else {
            format!("{key}: was not bound")
        });
        unbound.push(json!({ "key": key, "was_bound": was_bound }));
    }
    output.object(&json!({ "pipeline": pipeline.name, "records": unbound }));
    Ok(Exit::Done)
}
