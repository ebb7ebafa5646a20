//! Records as they are looked at.

use jiff::Timestamp;
use rusqlite::Connection;

use super::failure::StoreError;
use super::pipeline::Pipeline;
use super::{SqliteState, dead_letter, work};
use crate::failure::Failure;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey};
use crate::state::rules::{Image, Needs, Record, Work};
use crate::state::{Known, KnownPage, Sight};

impl SqliteState {
    pub(in crate::state) async fn look(
        &self,
        name: &PipelineName,
        key: &RecordKey,
    ) -> Result<Option<Sight>, Failure> {
        let (name, key) = (name.clone(), key.clone());
        self.read_all(move |connection| look(connection, &name, &key)).await
    }

    /// In the order of the keys: a page begins behind the last key of the one before.
    pub(in crate::state) async fn known(
        &self,
        name: &PipelineName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<KnownPage, Failure> {
        let (name, after) = (name.clone(), after.unwrap_or_default().to_owned());
        self.read_all(move |connection| known(connection, &name, &after, limit.max(1))).await
    }
}

fn look(connection: &Connection, name: &PipelineName, key: &RecordKey) -> Result<Option<Sight>, StoreError> {
    let Some(Pipeline { id, head }) = Pipeline::find(connection, name)? else {
        return Ok(None);
    };
    let mut work = Work::new(Timestamp::now(), head);
    work::load(connection, id, &Needs::look(key), &mut work)?;
    let Some(sight) = Sight::of(&work, key) else {
        return Ok(None);
    };
    let letter = |kind| dead_letter::of(connection, id, kind, key);
    Ok(Some(Sight { letter: letter(JobKind::Record)?, image_letter: letter(JobKind::Image)?, ..sight }))
}

fn known(
    connection: &Connection,
    name: &PipelineName,
    after: &str,
    limit: usize,
) -> Result<KnownPage, StoreError> {
    let Some(Pipeline { id, head }) = Pipeline::find(connection, name)? else {
        return Ok(KnownPage { records: Vec::new(), next: None });
    };
    let page = Record::page(connection, id, after, limit)?;
    let next = page.last().filter(|_| page.len() == limit).map(|(key, _)| key.to_string());
    let mut records = Vec::with_capacity(page.len());
    for (key, record) in &page {
        let image = if head.has_images() { Image::load(connection, id, key)? } else { None };
        records.push(Known::of(key, record, &image.unwrap_or_default()));
    }
    Ok(KnownPage { records, next })
}
