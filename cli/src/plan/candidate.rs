//! A record that a sync would enqueue, and what it would do with it.

use producer::mapped::Mapped;
use shared::config::Pipeline;
use shared::failure::Failure;
use shared::job::Job;
use shared::mapping::Mapping;
use shared::record::ImageReference;
use shared::state::Weighed;
use worker::sink::{Looked, SinkView};

use super::change::{Action, Change, ImageChange};

/// A record that a sync would enqueue.
pub(super) struct Candidate {
    pub(super) mapped: Mapped,
    /// The image that it has in the source, and the one that the sink has.
    image: Option<ImageChange>,
    /// They are not the same.
    is_new_image: bool,
}

impl Candidate {
    pub(super) fn of(mapped: Mapped, weighed: Weighed) -> Self {
        let image = mapped.image.clone().map(|new| ImageChange { old: weighed.image, new });
        Self { mapped, image, is_new_image: weighed.brings_image }
    }
}

/// What a sync would do with records that it enqueues; `None`: nothing, the sink has them as they are.
pub(super) async fn look(
    pipeline: &Pipeline,
    mapping: &Mapping,
    view: &mut SinkView,
    candidates: Vec<Candidate>,
) -> Result<Vec<Option<Change>>, Failure> {
    let mut changes = Vec::with_capacity(candidates.len());
    let mut looking: Vec<(Change, Option<ImageReference>, Job)> = Vec::new();
    let mut places = Vec::new();
    for Candidate { mapped, image, is_new_image } in candidates {
        let blank = Change {
            record: mapped.row.key.clone(),
            action: Action::Fail,
            sink_id: None,
            source: Some(mapped.checksum),
            fields: Vec::new(),
            image: image.clone().filter(|_| is_new_image),
            why: None,
        };
        match mapped.for_looking(mapping, &pipeline.name) {
            Ok(job) => {
                places.push(changes.len());
                changes.push(None);
                looking.push((blank, image.map(|image| image.new), job));
            }
            Err(failure) => changes.push(Some(failed(blank, &failure))),
        }
    }
    let jobs: Vec<&Job> = looking.iter().map(|(.., job)| job).collect();
    let answers = view.look(&jobs).await?;
    for ((place, (blank, image, _)), answer) in places.into_iter().zip(looking).zip(answers) {
        if let Some(change) = changes.get_mut(place) {
            *change = match answer {
                Ok(looked) => changed(blank, image, looked),
                Err(failure) => Some(failed(blank, &failure)),
            };
        }
    }
    Ok(changes)
}

fn failed(blank: Change, failure: &Failure) -> Change {
    Change { action: Action::Fail, image: None, why: Some(format!("{failure:#}")), ..blank }
}

fn changed(blank: Change, image: Option<ImageReference>, looked: Looked) -> Option<Change> {
    match looked {
        // Its image is brought whatever an earlier record of the sink had.
        Looked::Missing { fields } => {
            let image = image.map(|new| ImageChange { old: None, new });
            Some(Change { action: Action::Create, fields, image, ..blank })
        }
        Looked::Different { sink_id, binds, fields } => {
            let archives = fields
                .iter()
                .any(|change| change.field == "active" && change.new == Some(serde_json::Value::Bool(false)));
            let action = match (fields.is_empty(), archives) {
                (true, _) if binds => Action::Bind,
                (_, true) => Action::Archive,
                _ => Action::Update,
            };
            Some(Change { action, sink_id, fields, ..blank })
        }
        Looked::Same { sink_id } if blank.image.is_some() => {
            Some(Change { action: Action::Download, sink_id, ..blank })
        }
        Looked::Same { .. } => None,
    }
}
