//! The job: what travels from producer to worker. One envelope, versioned; its JSON is a contract between processes of
//! different versions during a rolling upgrade and is snapshot-tested.

use serde::{Deserialize, Serialize};

use crate::checksum::Checksum;
use crate::failure::{Class, Failure, Reason, one_line};
use crate::record::{ImageReference, PipelineName, RecordKey, RunId, Values, Version};
use crate::trace::{self, Trace};

/// The format of jobs that carry values or name an image.
pub const FORMAT: u32 = 1;

/// The format of jobs about records that are gone, and the newest that this version reads: one that knows nothing of
/// them would take them for records without values.
pub const GONE_FORMAT: u32 = 2;

/// What kind of work a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Upsert the mapped values of one record.
    Record,
    /// Bring the image of one record, which stands in the sink already.
    Image,
}

impl JobKind {
    /// As text, the same as in a job's JSON.
    pub fn label(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Image => "image",
        }
    }
}

/// One unit of work: one change of one record, or its image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// [`FORMAT`] or [`GONE_FORMAT`].
    pub format: u32,
    /// What kind of work it is.
    pub kind: JobKind,
    /// The pipeline that it belongs to.
    pub pipeline: PipelineName,
    /// The record's key in the source.
    pub key: RecordKey,
    /// Which change of the record this is.
    pub version: Version,
    /// The checksum of `values` under the pipeline's mapping; of an image job, that of its reference;
    /// [`Checksum::GONE`] where the source no longer has the record.
    pub checksum: Checksum,
    /// The run that made it.
    pub run: RunId,
    /// Its number in the run, from 0: a redelivered job is never counted twice. Image jobs are not counted in runs and
    /// have 0.
    pub place: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// The mapped values; empty in an image job and where the record is gone.
    pub values: Values,
    /// Record job: the image that the record has in the source, if any. Image job: the image to bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReference>,
    /// Image job: what the sink calls the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_id: Option<String>,
    /// When the source says that the record changed: for people, never for ordering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_time: Option<String>,
    /// Under which id logs tell of it; of an older version's job: none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "trace::lenient")]
    pub trace: Option<Trace>,
    /// What went wrong in earlier attempts, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Attempt>,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// When, in UTC.
    pub at: jiff::Timestamp,
    /// Its class.
    pub class: Class,
    /// Its label.
    pub reason: Reason,
    /// In words, with causes.
    pub message: String,
}

impl Attempt {
    /// An attempt that has just failed so.
    pub fn of(failure: &Failure) -> Self {
        Self {
            at: jiff::Timestamp::now(),
            class: failure.class,
            reason: failure.reason,
            message: format!("{failure:#}"),
        }
    }
}

/// A job that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version: to be kept for newer workers.
    #[error("job format {0} is newer than {GONE_FORMAT}, the newest that this version reads")]
    Newer(u32),
    /// Not a job at all.
    #[error("not a job: {0}")]
    Undecodable(String),
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Job {
    /// Whether it says that the source no longer has the record.
    pub fn is_gone(&self) -> bool {
        self.kind == JobKind::Record && self.checksum == Checksum::GONE
    }

    /// What lines of logs about it have as `trace`.
    pub fn trace_id(&self) -> Option<tracing::field::DisplayValue<String>> {
        self.trace.map(|trace| tracing::field::display(trace.id()))
    }

    /// As JSON.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a job has only text keys")
    }

    /// Reads a job; the format is looked at first, so that a newer job is told from a broken one.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        // The words of the parser repeat what it found.
        let undecodable = |error: serde_json::Error| DecodeError::Undecodable(one_line(error.to_string()));
        let FormatOnly { format } = serde_json::from_slice(bytes).map_err(undecodable)?;
        if format > GONE_FORMAT {
            return Err(DecodeError::Newer(format));
        }
        let job: Self = serde_json::from_slice(bytes).map_err(undecodable)?;
        if job.format == 0 || job.attempt == 0 {
            return Err(DecodeError::Undecodable("format and attempt count from 1".to_owned()));
        }
        if job.kind == JobKind::Image && job.image.is_none() {
            return Err(DecodeError::Undecodable("an image job that names no image".to_owned()));
        }
        if (job.format == GONE_FORMAT) != job.is_gone() {
            return Err(DecodeError::Undecodable(
                "a job whose format is not that of its checksum".to_owned(),
            ));
        }
        Ok(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Job {
        Job {
            format: FORMAT,
            kind: JobKind::Record,
            pipeline: "products".parse().unwrap(),
            key: RecordKey::from(42),
            version: Version { epoch: 1_763_769_600_000, sequence: 7 },
            checksum: "ab".repeat(32).parse().unwrap(),
            run: RunId(3),
            place: 6,
            attempt: 2,
            values: serde_json::from_str(r#"{"id":42,"list_price":10.50,"uom_id":[1,"Units"]}"#).unwrap(),
            image: None,
            sink_id: None,
            source_time: Some("2026-11-21 22:41:09".to_owned()),
            trace: None,
            failures: vec![Attempt {
                at: "2026-11-22T00:00:00Z".parse().unwrap(),
                class: Class::Transient,
                reason: Reason::Timeout,
                message: "no answer".to_owned(),
            }],
        }
    }

    #[test]
    fn the_envelope_is_this_json() {
        insta::assert_snapshot!(String::from_utf8(sample().encode()).unwrap(), @r#"{"format":1,"kind":"record","pipeline":"products","key":"42","version":{"epoch":1763769600000,"sequence":7},"checksum":"abababababababababababababababababababababababababababababababab","run":3,"place":6,"attempt":2,"values":{"id":42,"list_price":10.50,"uom_id":[1,"Units"]},"source_time":"2026-11-21 22:41:09","failures":[{"at":"2026-11-22T00:00:00Z","class":"transient","reason":"timeout","message":"no answer"}]}"#);
    }

    /// The image job after [`sample`].
    fn image_sample() -> Job {
        Job {
            kind: JobKind::Image,
            place: 0,
            attempt: 1,
            values: Values::new(),
            image: Some("4600000012001/front.jpg".parse().unwrap()),
            sink_id: Some("57".to_owned()),
            source_time: None,
            failures: Vec::new(),
            ..sample()
        }
    }

    #[test]
    fn a_trace_travels_in_the_envelope_and_a_broken_one_keeps_no_job_from_its_work() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let traced = Job { trace: Some(trace.parse().unwrap()), ..sample() };
        let text = String::from_utf8(traced.encode()).unwrap();
        assert!(text.contains(&format!(r#","trace":"{trace}","failures":"#)), "{text}");
        assert_eq!(Job::decode(text.as_bytes()), Ok(traced));
        for broken in ["\"00-what\"", "7", "null", "{}"] {
            let text = text.replace(&format!("\"{trace}\""), broken);
            assert_eq!(Job::decode(text.as_bytes()), Ok(sample()), "{broken}");
        }
    }

    #[test]
    fn the_envelope_of_a_record_with_an_image_names_it_behind_the_values() {
        let job = Job { image: image_sample().image, failures: Vec::new(), ..sample() };
        insta::assert_snapshot!(String::from_utf8(job.encode()).unwrap(), @r#"{"format":1,"kind":"record","pipeline":"products","key":"42","version":{"epoch":1763769600000,"sequence":7},"checksum":"abababababababababababababababababababababababababababababababab","run":3,"place":6,"attempt":2,"values":{"id":42,"list_price":10.50,"uom_id":[1,"Units"]},"image":"4600000012001/front.jpg","source_time":"2026-11-21 22:41:09"}"#);
    }

    #[test]
    fn the_envelope_of_an_image_is_this_json() {
        insta::assert_snapshot!(String::from_utf8(image_sample().encode()).unwrap(), @r#"{"format":1,"kind":"image","pipeline":"products","key":"42","version":{"epoch":1763769600000,"sequence":7},"checksum":"abababababababababababababababababababababababababababababababab","run":3,"place":0,"attempt":1,"values":{},"image":"4600000012001/front.jpg","sink_id":"57"}"#);
    }

    /// The job by which [`sample`]'s record is gone.
    fn gone_sample() -> Job {
        Job {
            format: GONE_FORMAT,
            checksum: Checksum::GONE,
            attempt: 1,
            values: Values::new(),
            source_time: None,
            failures: Vec::new(),
            ..sample()
        }
    }

    #[test]
    fn the_envelope_of_a_record_that_is_gone_is_this_json() {
        insta::assert_snapshot!(String::from_utf8(gone_sample().encode()).unwrap(), @r#"{"format":2,"kind":"record","pipeline":"products","key":"42","version":{"epoch":1763769600000,"sequence":7},"checksum":"676f6e652066726f6d2074686520736f757263652c20616c6c206f662069742e","run":3,"place":6,"attempt":1,"values":{}}"#);
    }

    #[test]
    fn only_the_job_of_a_record_that_is_gone_has_its_format() {
        for job in [Job { format: GONE_FORMAT, ..sample() }, Job { format: FORMAT, ..gone_sample() }] {
            assert!(matches!(Job::decode(&job.encode()), Err(DecodeError::Undecodable(_))), "{job:?}");
        }
    }

    #[test]
    fn a_job_comes_back_with_its_decimals() {
        assert_eq!(Job::decode(&sample().encode()), Ok(sample()));
        assert_eq!(Job::decode(&gone_sample().encode()), Ok(gone_sample()));
        assert_eq!(Job::decode(&image_sample().encode()), Ok(image_sample()));
    }

    #[test]
    fn what_a_broken_job_holds_forges_no_line_of_a_log() {
        let long = "x".repeat(5_000);
        for kind in ["record\\nINFO all is well", "\\u001b[2J", long.as_str()] {
            let error = Job::decode(format!(r#"{{"format":1,"kind":"{kind}"}}"#).as_bytes()).unwrap_err();
            let words = error.to_string();
            assert!(!words.contains(char::is_control) && words.chars().count() < 1_100, "{words:?}");
        }
    }

    #[test]
    fn an_image_job_without_its_image_is_undecodable() {
        let nameless = Job { image: None, ..image_sample() };
        assert!(matches!(Job::decode(&nameless.encode()), Err(DecodeError::Undecodable(_))));
    }

    #[test]
    fn the_label_of_a_kind_is_its_json() {
        for kind in [JobKind::Record, JobKind::Image] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.label());
        }
    }

    #[test]
    fn a_newer_format_is_not_called_broken() {
        assert_eq!(Job::decode(br#"{"format":3,"shape":"unheard of"}"#), Err(DecodeError::Newer(3)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(Job::decode(&bytes));
        }
    }
}
