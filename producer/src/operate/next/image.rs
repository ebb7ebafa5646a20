//! What happens next to an image that is not in the sink though its record is.

use shared::state::{Begun, Sight, Stage};
use shared::utc::in_utc;

use super::{Situation, because, until};

/// In one sentence; none where nothing is to be done.
pub(super) fn next(of: &Situation<'_>, sight: &Sight) -> Option<String> {
    let wanted = sight.image.as_ref()?;
    match sight.known.image_stage {
        Stage::Dead => {
            let why = sight.image_letter.as_ref().map_or_else(String::new, |letter| because(&letter.failure));
            Some(format!(
                "The record is in the sink, its image was given up{why}: it is tried again when it changes, or by \
                 `catalog-sync dead redrive {}`.",
                sight.known.key
            ))
        }
        Stage::Outstanding => Some(match (of.paused.or(of.images_paused), &wanted.begun, wanted.retry_at) {
            (Some(pause), _, _) => {
                format!(
                    "The record is in the sink, its image waits: images are paused ({}) {}.",
                    pause.why,
                    until(pause)
                )
            }
            (None, Some(Begun { worker: Some(worker), alive: true, .. }), _) => {
                format!("The record is in the sink, and the worker {worker} brings its image now.")
            }
            (None, _, Some(retry)) if retry > of.now && !wanted.failures.is_empty() => format!(
                "The record is in the sink, its image is tried again at {} (attempt {}).",
                in_utc(retry),
                wanted.attempt
            ),
            (None, _, Some(retry)) if retry > of.now => format!(
                "The record is in the sink, the job of its image is in the queue; should it be lost, it is enqueued again at {}.",
                in_utc(retry)
            ),
            _ => "The record is in the sink, its image waits for its turn.".to_owned(),
        }),
        Stage::Applied | Stage::Unknown => None,
    }
}
