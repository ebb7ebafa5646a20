//! Why a record is as it is: what source, state and sink know of it, and what happens next. A system that is away takes
//! nothing away from what the others tell.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use shared::config::{Config, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::fleet::{Pause, Scope};
use shared::odoo::{Place, SearchRead};
use shared::record::{ImageReference, PipelineName, RecordKey, Values};
use shared::state::{Known, Sight, State};
use shared::systems::Systems;
use shared::zoho::Kind;

use super::next::{Situation, SourceStand, next};
use super::status::Paused;
use crate::mapped::Mapped;
use crate::open;
use crate::schedule::Schedule;

/// Dead letters that are looked through for a SKU, the newest ones.
const LETTERS: usize = 10_000;

/// Since this version Odoo names records in its addresses by path.
const PATHS_SINCE: u32 = 18;

/// All that is known of a record.
#[derive(Debug, Clone, Serialize)]
pub struct Why {
    /// Of which pipeline.
    pub pipeline: PipelineName,
    /// Which record.
    pub key: RecordKey,
    /// What happens next, in words.
    pub next: String,
    /// What the source has.
    pub source: Asked,
    /// What the state knows; `None`: nothing.
    pub state: Option<Sight>,
    /// Where a person sees it in the sink.
    pub url: Option<String>,
    /// What stands still of the pipeline.
    pub paused: Vec<Paused>,
    /// When the next run is due, where runs start by themselves.
    pub next_run: Option<Timestamp>,
}

/// What the source said.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// It has the record.
    Has(InSource),
    /// It has no such record.
    Gone,
    /// It was not to be asked.
    NotAsked,
    /// It gave no answer; why, in words.
    Away(String),
}

/// A record as the source has it now.
#[derive(Debug, Clone, Serialize)]
pub struct InSource {
    /// When the source says that it changed.
    pub time: Option<String>,
    /// What the mapping makes of it.
    pub values: Option<Values>,
    /// Why it cannot be mapped, in words.
    pub unmappable: Option<String>,
    /// Its image.
    pub image: Option<ImageReference>,
    /// It is what is wanted.
    pub is_wanted: bool,
}

/// Looks at a record. `systems`: where source and sink may be asked.
///
/// # Errors
/// The state's alone.
pub async fn why(
    state: &State,
    config: &Config,
    pipeline: &Pipeline,
    systems: Option<&Systems>,
    key: &RecordKey,
) -> Result<Why, Failure> {
    let name = &pipeline.name;
    let sight = state.look(name, key).await?;
    let known = sight.as_ref().map(|sight| &sight.known);
    let source = match systems {
        None => Asked::NotAsked,
        Some(systems) => ask(pipeline, systems, state, key, known)
            .await
            .unwrap_or_else(|failure| Asked::Away(format!("{failure:#}"))),
    };
    let pause = async |scope| Pause::of(state, name, scope).await;
    let (all, images) = (pause(Scope::Pipeline).await?, pause(Scope::Images).await?);
    let next_run = Schedule::of(state, pipeline).next().await?.map(|next| next.at);
    let situation = Situation {
        sight: sight.as_ref(),
        source: source.stand(),
        paused: all.as_ref(),
        images_paused: images.as_ref(),
        fleet: config.fleet.is_some(),
        next_run,
        now: state.now().await?,
    };
    let next = next(&situation);
    let url = match (&pipeline.sink, known.and_then(|known| known.sink_id.as_deref())) {
        (SinkConfig::Odoo(target), Some(id)) => url(config, target, systems, id).await,
        _ => None,
    };
    let paused = [(Scope::Pipeline, all), (Scope::Images, images)]
        .into_iter()
        .filter_map(|(what, pause)| pause.map(|pause| Paused { what, pause }))
        .collect();
    Ok(Why { pipeline: name.clone(), key: key.clone(), next, source, state: sight, url, paused, next_run })
}

impl Asked {
    fn stand(&self) -> SourceStand {
        match self {
            Self::Has(InSource { is_wanted: true, .. }) => SourceStand::Same,
            Self::Has(_) => SourceStand::Changed,
            Self::Gone => SourceStand::Gone,
            Self::NotAsked | Self::Away(_) => SourceStand::Unknown,
        }
    }
}

async fn ask(
    pipeline: &Pipeline,
    systems: &Systems,
    state: &State,
    key: &RecordKey,
    known: Option<&Known>,
) -> Result<Asked, Failure> {
    let source = open::source(pipeline, systems, state, false).await?;
    let rows = source.by_key(std::slice::from_ref(key)).await?;
    let Some(row) = rows.into_iter().find(|row| row.key == *key) else {
        return Ok(Asked::Gone);
    };
    let whole = Box::pin(Mapped::whole(&source, vec![row], pipeline.takes_images())).await?.pop();
    let Some(Mapped { row, checksum, image }) = whole else {
        return Ok(Asked::Gone);
    };
    let is_wanted = known.is_some_and(|known| {
        let wanted_image = known.wanted_image.as_ref().filter(|image| !image.is_removed());
        known.wanted.is_some_and(|wanted| wanted.checksum == checksum) && wanted_image == image.as_ref()
    });
    let (values, unmappable) = match source.mapping().apply(&row.values) {
        Ok(values) => (Some(values), None),
        Err(failure) => (None, Some(format!("{failure:#}"))),
    };
    Ok(Asked::Has(InSource { time: row.time, values, unmappable, image, is_wanted }))
}

/// The address of a record in Odoo's web client. The older form is understood by every version.
async fn url(config: &Config, target: &OdooTarget, systems: Option<&Systems>, id: &str) -> Option<String> {
    let server = config.odoo.get(&target.server)?;
    let place = Place::new(&server.url, &server.database, None).ok()?;
    let major = match systems {
        Some(systems) => systems.odoo(&target.server).await.ok().map(|client| client.version().major),
        None => None,
    };
    Some(url_of(place.address(), &target.model, id, major))
}

fn url_of(address: &str, model: &str, id: &str, major: Option<u32>) -> String {
    let address = address.trim_end_matches('/');
    if major.is_some_and(|major| major >= PATHS_SINCE) {
        // A model without a dot is told from a named action by its prefix.
        let prefix = if model.contains('.') { "" } else { "m-" };
        return format!("{address}/odoo/{prefix}{model}/{id}");
    }
    format!("{address}/web#id={id}&model={model}&view_type=form")
}

/// The record of a pipeline that has a SKU: by the Odoo that is its source or sink, by its dead letters, and by Zoho.
///
/// # Errors
/// In words where there is none, or several. The state's; why a remote system cannot be asked, where none of the others tells.
pub async fn by_sku(
    state: &State,
    pipeline: &Pipeline,
    systems: &Systems,
    sku: &str,
) -> Result<RecordKey, Failure> {
    let asked = in_odoo(pipeline, systems, sku).await;
    let mut found = asked.as_ref().ok().cloned().flatten().unwrap_or_default();
    if found.is_empty() {
        let letters = state.letters_with(&pipeline.name, &json!(sku).to_string(), LETTERS).await?;
        let has = |values: &Values| {
            ["default_code", "sku"].iter().any(|name| values.get(*name) == Some(&json!(sku)))
        };
        let letters = letters.into_iter().map(|filed| filed.letter.job).filter(|job| has(&job.values));
        found.extend(letters.map(|job| job.key));
    }
    let mut asked = asked.map(|keys| keys.is_some());
    if found.is_empty() {
        // Its calls are counted: asked last, of what is nowhere else.
        match in_zoho(pipeline, systems, sku).await {
            Ok(Some(keys)) => {
                found.extend(keys);
                asked = Ok(true);
            }
            Ok(None) => {}
            Err(failure) => asked = asked.and(Err(failure)),
        }
    }
    found.sort();
    found.dedup();
    match (found.as_slice(), asked) {
        ([one], _) => Ok(one.clone()),
        ([], Err(failure)) => Err(failure),
        ([], Ok(false)) => Err(Failure::configuration(format!(
            "neither source nor sink of {} can be asked for a SKU",
            pipeline.name
        ))
        .advise("name the record by its key in the source")),
        ([], Ok(true)) => {
            Err(Failure::configuration(format!("no record of {} has the SKU '{sku}'", pipeline.name))
                .advise("name it by its key in the source"))
        }
        (several, _) => {
            let keys: Vec<&str> = several.iter().map(RecordKey::as_str).collect();
            Err(Failure::configuration(format!(
                "the SKU '{sku}' is that of records {} of {}",
                keys.join(" and "),
                pipeline.name
            ))
            .advise("name one of them by its key"))
        }
    }
}

/// `None` where no Odoo knows of SKUs.
async fn in_odoo(
    pipeline: &Pipeline,
    systems: &Systems,
    sku: &str,
) -> Result<Option<Vec<RecordKey>>, Failure> {
    let search = |model: &str| SearchRead {
        domain: json!([["default_code", "=", sku]]),
        fields: vec!["id".to_owned()],
        limit: Some(100),
        context: [("active_test".to_owned(), Value::Bool(false))].into_iter().collect(),
        ..SearchRead::new(model)
    };
    if let SinkConfig::Odoo(target) = &pipeline.sink {
        let client = systems.odoo(&target.server).await?;
        let ids = client.search(&search(&target.model)).await?;
        let name = format!("{}_", target.entity);
        let named = SearchRead {
            domain: json!([
                ["model", "=", target.model],
                ["module", "=", target.prefix],
                ["res_id", "in", ids]
            ]),
            fields: vec!["name".to_owned()],
            ..SearchRead::new("ir.model.data")
        };
        let rows = client.search_read(&named).await?;
        let key = |row: &Values| row.get("name")?.as_str()?.strip_prefix(&name)?.parse().ok();
        return Ok(Some(rows.iter().filter_map(key).collect()));
    }
    let SourceConfig::Odoo(entity) = &pipeline.source else { return Ok(None) };
    let client = systems.odoo(&entity.server).await?;
    let ids = client.search(&search(&entity.model)).await?;
    Ok(Some(ids.into_iter().filter_map(|id| u64::try_from(id).ok()).map(RecordKey::from).collect()))
}

/// `None` where the source is no Zoho, or not of items.
async fn in_zoho(
    pipeline: &Pipeline,
    systems: &Systems,
    sku: &str,
) -> Result<Option<Vec<RecordKey>>, Failure> {
    let SourceConfig::Zoho(entity) = &pipeline.source else { return Ok(None) };
    if entity.kind != Kind::Items {
        return Ok(None);
    }
    let ids = systems.zoho(&entity.server).await?.items_by_sku(entity.api, sku).await?;
    Ok(Some(ids.into_iter().filter_map(|id| id.parse().ok()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_named_by_path_since_odoo_18_and_by_the_older_form_where_the_version_is_not_known() {
        let url = |model, major| url_of("https://erp.example/", model, "57", major);
        assert_eq!(url("product.product", Some(18)), "https://erp.example/odoo/product.product/57");
        assert_eq!(url("thing", Some(19)), "https://erp.example/odoo/m-thing/57");
        for major in [Some(17), None] {
            let older = "https://erp.example/web#id=57&model=product.product&view_type=form";
            assert_eq!(url("product.product", major), older);
        }
    }
}
