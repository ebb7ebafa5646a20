//! The products that the old system has bound: looked at in the source and in Odoo, then given our external ids.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use producer::source::{Source, SourceRow};
use serde::Serialize;
use serde_json::Value;
use sha1::{Digest, Sha1};
use shared::config::{Config, OdooTarget, Pipeline, SinkConfig, SourceConfig};
use shared::failure::Failure;
use shared::record::{ImageHash, ImageReference, Outcome, RecordKey, Version};
use shared::state::{Binding, NewRun, Run, RunEnd, RunKind, SettledImage, State, Window};
use shared::systems::Systems;
use shared::zoho::Kind;
use worker::sink::odoo::{Adopted, Adoption, OdooSink};

use super::legacy::{Product, Zoho};
use super::time::is_unchanged;
use crate::state::known_state;

/// Images beyond this size are none that the old system had from Zoho.
const LARGEST_IMAGE: u64 = 64 * 1024 * 1024;

/// A record of the old system that is bound to nothing, and why.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    record: RecordKey,
    odoo_id: Option<i64>,
    pub(super) why: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { record, odoo_id, why } = self;
        match odoo_id {
            Some(id) => write!(f, "{record} (Odoo's id {id}): {why}"),
            None => write!(f, "{record}: {why}"),
        }
    }
}

/// What was found out about the old system's products, and what is to be done.
#[derive(Debug)]
pub(super) struct Takeover {
    pipeline: Pipeline,
    sink: OdooSink,
    binding: Binding,
    /// The source's clock when it was read.
    read_at: Timestamp,
    /// To be bound.
    pub(super) found: Vec<(RecordKey, i64)>,
    /// Bound already.
    pub(super) bound: usize,
    pub(super) refused: Vec<Refused>,
    /// Pictures that Odoo has from the old system, and that did not change since, by record: with what Odoo knows them by.
    images: HashMap<RecordKey, (ImageReference, ImageHash)>,
    /// Records whose image is brought, or compared, by the first sync.
    pub(super) other_images: usize,
}

/// The pipeline from Zoho's items into Odoo.
pub(super) fn pipeline_of<'a>(
    config: &'a Config,
    zoho: Option<&Zoho>,
) -> Result<(&'a Pipeline, &'a OdooTarget), Failure> {
    let mut fitting =
        config.pipelines.iter().filter_map(|pipeline| match (&pipeline.source, &pipeline.sink) {
            (SourceConfig::Zoho(entity), SinkConfig::Odoo(target)) if entity.kind == Kind::Items => {
                Some((pipeline, target, entity.server.as_str()))
            }
            _ => None,
        });
    let (Some((pipeline, target, account)), None) = (fitting.next(), fitting.next()) else {
        return Err(Failure::configuration(
            "the configuration has no pipeline from Zoho's items into Odoo, or more than one",
        )
        .advise(
            "the old system's products belong to one: import them with a configuration that has only that",
        ));
    };
    let organization = config.zoho.get(account).map(|account| account.organization_id.as_str());
    if let Some(zoho) = zoho
        && organization != Some(zoho.organization_id.as_str())
    {
        return Err(Failure::configuration(format!(
            "pipeline '{}' reads another organisation than zoho_config.json names",
            pipeline.name
        ))
        .advise("the items of another organisation have other ids: correct one of the two"));
    }
    Ok((pipeline, target))
}

impl Takeover {
    /// Reads the source and Odoo; changes nothing.
    pub(super) async fn look(
        config: &Arc<Config>,
        zoho: Option<&Zoho>,
        products: &BTreeMap<RecordKey, Product>,
        images: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (pipeline, target) = pipeline_of(config, zoho)?;
        let state = match known_state(config).await? {
            Some(state) => state,
            None => State::open_memory().await?,
        };
        let systems = Systems::new(Arc::clone(config)).governed_by(&state);
        let client = systems.odoo(&target.server).await?;
        let identity = target.identity(&client);
        let sink = worker::open::odoo_sink(pipeline, target, client).await?;
        let source = producer::open::source(pipeline, &systems, &state, false).await?;
        let rows = rows(&source, products).await?;
        let mut takeover = Self {
            pipeline: pipeline.clone(),
            sink,
            binding: source.binding(&identity),
            read_at: source.clock(),
            found: Vec::new(),
            bound: 0,
            refused: Vec::new(),
            images: HashMap::new(),
            other_images: 0,
        };
        let ids = takeover.examine(products, &rows).await?;
        takeover.compare_images(products, &rows, &ids, images).await?;
        Ok(takeover)
    }

    /// Whose record is in Odoo under which id.
    async fn examine(
        &mut self,
        products: &BTreeMap<RecordKey, Product>,
        rows: &HashMap<RecordKey, SourceRow>,
    ) -> Result<HashMap<RecordKey, i64>, Failure> {
        let mut adoptions = Vec::with_capacity(products.len());
        for (key, product) in products {
            let why = match (product.odoo_id, rows.get(key)) {
                (Some(id), Some(row)) => {
                    let text = |field: &str| {
                        row.values.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
                    };
                    adoptions.push(Adoption { key: key.clone(), id, sku: text("sku"), name: text("name") });
                    continue;
                }
                (None, _) => "the old system has no id of Odoo for it",
                (Some(_), None) => "Zoho has no such item any more",
            };
            self.refused.push(Refused { record: key.clone(), odoo_id: product.odoo_id, why: why.to_owned() });
        }
        let mut ids = HashMap::new();
        for (adoption, adopted) in adoptions.iter().zip(self.sink.examine(&adoptions).await?) {
            let key = adoption.key.clone();
            match adopted {
                Adopted::Found(id) => {
                    self.found.push((key.clone(), id));
                    ids.insert(key, id);
                }
                Adopted::Bound(id) => {
                    self.bound += 1;
                    ids.insert(key, id);
                }
                Adopted::Refused(why) => {
                    self.refused.push(Refused { record: key, odoo_id: Some(adoption.id), why });
                }
            }
        }
        Ok(ids)
    }

    /// An image did not change where its item did not, and Odoo has, byte for byte, one that the old system keeps.
    async fn compare_images(
        &mut self,
        products: &BTreeMap<RecordKey, Product>,
        rows: &HashMap<RecordKey, SourceRow>,
        ids: &HashMap<RecordKey, i64>,
        folder: Option<&Path>,
    ) -> Result<(), Failure> {
        if !self.pipeline.takes_images() {
            return Ok(());
        }
        let kept = folder.map(hashes_of).transpose()?.unwrap_or_default();
        let all: Vec<i64> = ids.values().copied().collect();
        let in_odoo = if kept.is_empty() { HashMap::new() } else { self.sink.image_hashes(&all).await? };
        for (key, id) in ids {
            let Some(row) = rows.get(key) else { continue };
            let Some(reference) = row.image.as_deref().and_then(|text| text.parse().ok()) else { continue };
            let then = products.get(key).and_then(|product| product.last_modified.as_deref());
            let same = then.zip(row.time.as_deref()).is_some_and(|(then, now)| is_unchanged(then, now));
            let in_odoo = in_odoo.get(id).filter(|hash| same && kept.contains(*hash));
            match in_odoo.and_then(|hash| hash.parse().ok()) {
                Some(hash) => drop(self.images.insert(key.clone(), (reference, hash))),
                None => self.other_images += 1,
            }
        }
        Ok(())
    }

    /// Images that are not fetched again.
    pub(super) fn kept_images(&self) -> usize {
        self.images.len()
    }

    /// The pipeline that the products belong to.
    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Binds what was found, and notes the images. What Odoo refuses after all is told as refused. May be repeated.
    pub(super) async fn carry_out(&mut self, state: &State) -> Result<(), Failure> {
        let found = std::mem::take(&mut self.found);
        let bound = self.sink.adopt(&found).await?;
        for ((key, id), result) in found.into_iter().zip(bound) {
            match result {
                Ok(()) => self.found.push((key, id)),
                Err(failure) => {
                    self.images.remove(&key);
                    self.refused.push(Refused {
                        record: key,
                        odoo_id: Some(id),
                        why: format!("{failure:#}"),
                    });
                }
            }
        }
        let Some(run) = self.first_run(state).await? else { return Ok(()) };
        // Older than whatever that run finds out.
        let version = Version { epoch: run.epoch, sequence: 0 };
        let settled: Vec<SettledImage> = self
            .images
            .iter()
            .map(|(key, (reference, written))| SettledImage {
                key: key.clone(),
                version,
                reference: reference.clone(),
                hash: None,
                written: Some(*written),
                outcome: Outcome::Unchanged,
            })
            .collect();
        for batch in settled.chunks(500) {
            state.settle_images(&self.pipeline.name, batch).await?;
        }
        state.finish_run(&run, &RunEnd::Interrupted).await.map(drop)
    }

    /// The pipeline's first run, which a sync goes on with from its beginning: the state keeps nothing of a pipeline that it knows no source
    /// and sink of. `None` where a sync was complete before, and knows better.
    async fn first_run(&self, state: &State) -> Result<Option<Run>, Failure> {
        let name = &self.pipeline.name;
        match state.pipeline(name).await? {
            None => {
                let new = NewRun {
                    pipeline: name.clone(),
                    kind: RunKind::Full,
                    window: Window { start: None, end: self.read_at },
                    binding: self.binding.clone(),
                    force: false,
                    reset: false,
                };
                state.begin_run(&new).await.map(Some)
            }
            Some(known) if known.cursor.is_none() && known.binding == self.binding => {
                state.resume_run(name).await
            }
            Some(_) => Ok(None),
        }
    }
}

/// The source's rows of these products, found in its list.
async fn rows(
    source: &Source,
    products: &BTreeMap<RecordKey, Product>,
) -> Result<HashMap<RecordKey, SourceRow>, Failure> {
    let mut rows = HashMap::with_capacity(products.len());
    let window = Window { start: None, end: source.clock() };
    let mut position: Option<String> = None;
    loop {
        let page = source.page(window, position.as_deref()).await?;
        rows.extend(
            page.rows
                .into_iter()
                .filter(|row| products.contains_key(&row.key))
                .map(|row| (row.key.clone(), row)),
        );
        match page.next {
            Some(next) => position = Some(next),
            None => return Ok(rows),
        }
    }
}

/// sha1 in hexadecimal digits of the files in a folder.
fn hashes_of(folder: &Path) -> Result<HashSet<String>, Failure> {
    let failed = |error| {
        Failure::configuration(format!("cannot read the old system's images in {}", folder.display()))
            .advise("check its permissions, or name the other files without it")
            .because(error)
    };
    let mut hashes = HashSet::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.metadata().map_err(failed)?;
        if kind.is_file() && kind.len() <= LARGEST_IMAGE {
            let sum = Sha1::digest(std::fs::read(entry.path()).map_err(failed)?);
            hashes.insert(sum.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")));
        }
    }
    Ok(hashes)
}
