//! Jobs as a producer makes them, and what becomes of them.

use super::*;

/// A job as its producer made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made {
    pub(super) run: RunId,
    pub(super) id: u64,
    pub(super) content: u8,
    pub(super) version: Version,
    pub(super) place: u64,
    /// The number of its image, see [`image::image`].
    pub(super) image: Option<u8>,
}

/// Wants values that must be new.
pub(super) async fn enqueue(state: &State, run: &Run, id: u64, content: u8) -> Made {
    made(run, id, content, want(state, run, id, content).await)
}

pub(super) fn made(run: &Run, id: u64, content: u8, answer: Wanted) -> Made {
    match answer {
        Wanted::Enqueue { version, place } => Made { run: run.id, id, content, version, place, image: None },
        other => panic!("{other:?} instead of a job for record {id}"),
    }
}

impl Made {
    pub(super) fn settled(&self, outcome: Outcome) -> Settled {
        Settled {
            run: self.run,
            place: self.place,
            key: self.id.into(),
            version: self.version,
            checksum: sum(self.content),
            worker: us().worker,
            outcome,
            sink_id: Some(format!("sink-{}", self.id)),
            image: self.image.map(image::image),
        }
    }

    pub(super) async fn settle(&self, state: &State, outcome: Outcome) {
        state.settle(&products(), &[self.settled(outcome)]).await.unwrap();
    }

    pub(super) async fn claim(&self, state: &State) -> Claimed {
        self.claim_as(state, &us()).await
    }

    pub(super) async fn claim_as(&self, state: &State, claimant: &Claimant) -> Claimed {
        let claim = Claim { key: self.id.into(), version: self.version };
        state.claim(&products(), &[claim], claimant).await.unwrap().remove(0)
    }

    pub(super) fn letter(&self, message: &str) -> DeadLetter {
        let attempt = |message: &str| Attempt {
            at: time("2026-11-21T10:00:00.25Z"),
            class: Class::Permanent,
            reason: Reason::BadRecord,
            message: message.to_owned(),
        };
        DeadLetter {
            job: Job {
                format: FORMAT,
                kind: JobKind::Record,
                pipeline: products(),
                key: self.id.into(),
                version: self.version,
                checksum: sum(self.content),
                run: self.run,
                place: self.place,
                attempt: 2,
                values: serde_json::from_str(r#"{"list_price":10.50,"uom_id":[1,"Units"]}"#).unwrap(),
                image: self.image.map(image::image),
                sink_id: None,
                source_time: Some("2026-11-20 22:41:09".to_owned()),
                trace: None,
                failures: vec![attempt("first")],
            },
            failure: attempt(message),
            unmapped: false,
        }
    }

    pub(super) async fn bury(&self, state: &State, message: &str) {
        state.bury(&[self.letter(message)]).await.unwrap();
    }
}

/// The marks of a claim that may go on.
pub(super) fn marks(claimed: &Claimed) -> u32 {
    match claimed {
        Claimed::Go { marks, .. } => *marks,
        other => panic!("{other:?} instead of going on"),
    }
}
