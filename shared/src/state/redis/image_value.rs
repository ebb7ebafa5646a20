//! Images as bytes.

use super::bytes::{Broken, Writer};
use super::value::{
    APPLIED, DEAD, Flags, SAME, SINCE, SINK_ID, STARTED, Unreadable, Value, WANTED, WORKER, begin, flag_mark,
    open, read_mark, write_mark,
};
use crate::record::RunId;
use crate::state::rules::{AppliedImage, Image, Stage, WantedImage};

const REFERENCE: u16 = 1 << 8;
const RETRY: u16 = 1 << 9;
const FAILURES: u16 = 1 << 10;
const HASH: u16 = 1 << 11;
const WRITTEN: u16 = 1 << 12;
const KNOWN: u16 = WANTED
    | APPLIED
    | DEAD
    | STARTED
    | WORKER
    | SINCE
    | SINK_ID
    | SAME
    | REFERENCE
    | RETRY
    | FAILURES
    | HASH
    | WRITTEN;

impl Value for Image {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn is_settled(&self) -> bool {
        matches!(self.stage(), Stage::Applied | Stage::Dead) && self.started.is_none()
    }

    fn encode(&self) -> Vec<u8> {
        let Self { wanted, applied, dead, started } = self;
        let reference = wanted.as_ref().and_then(|wanted| wanted.reference.as_ref());
        let same = applied.as_ref().is_some_and(|applied| reference == Some(&applied.reference));
        let mut flags = Flags::default();
        flags.set(WANTED, wanted.is_some());
        flags.set(APPLIED, applied.is_some());
        flags.set(DEAD, *dead);
        flag_mark(&mut flags, started.as_ref());
        flags.set(SAME, same);
        flags.set(REFERENCE, reference.is_some());
        if let Some(wanted) = wanted {
            flags.set(SINK_ID, wanted.sink_id.is_some());
            flags.set(SINCE, wanted.since.is_some());
            flags.set(RETRY, wanted.retry_at.is_some());
            flags.set(FAILURES, !wanted.failures.is_empty());
        }
        flags.set(HASH, applied.as_ref().is_some_and(|applied| applied.hash.is_some()));
        flags.set(WRITTEN, applied.as_ref().is_some_and(|applied| applied.written.is_some()));
        let mut writer = begin(flags);
        if let Some(wanted) = wanted {
            let WantedImage { version, reference, sink_id, run, since, attempt, retry_at, failures } = wanted;
            writer.version(*version);
            writer.number(run.0);
            writer.number(u64::from(*attempt));
            writer.maybe(reference.as_ref(), |writer, reference| writer.text(reference.as_str()));
            writer.maybe(sink_id.as_ref(), |writer, sink_id| writer.text(sink_id));
            writer.maybe(since.as_ref(), |writer, since| writer.time(*since));
            writer.maybe(retry_at.as_ref(), |writer, retry_at| writer.time(*retry_at));
            if !failures.is_empty() {
                writer.text(&serde_json::to_string(failures).expect("attempts have only text keys"));
            }
        }
        if let Some(AppliedImage { reference, hash, written }) = applied {
            if !same {
                writer.text(reference.as_str());
            }
            writer.maybe(hash.as_ref(), Writer::checksum);
            writer.maybe(written.as_ref(), Writer::image_hash);
        }
        writer.maybe(started.as_ref(), write_mark);
        writer.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (flags, mut reader) = open(bytes, KNOWN)?;
        let reader = &mut reader;
        let wanted = flags.read(WANTED, || {
            Ok(WantedImage {
                version: reader.version()?,
                run: RunId(reader.number()?),
                attempt: reader.small()?,
                reference: flags.read(REFERENCE, || reader.parsed())?,
                sink_id: flags.read(SINK_ID, || reader.text())?,
                since: flags.read(SINCE, || reader.time())?,
                retry_at: flags.read(RETRY, || reader.time())?,
                failures: flags
                    .read(FAILURES, || serde_json::from_str(&reader.text()?).map_err(|_| Broken))?
                    .unwrap_or_default(),
            })
        })?;
        let applied = flags.read(APPLIED, || {
            let wanted = wanted.as_ref().and_then(|wanted| wanted.reference.as_ref());
            let reference = if flags.has(SAME) { wanted.ok_or(Broken)?.clone() } else { reader.parsed()? };
            Ok(AppliedImage {
                reference,
                hash: flags.read(HASH, || reader.checksum())?,
                written: flags.read(WRITTEN, || reader.image_hash())?,
            })
        })?;
        let started = read_mark(flags, reader)?;
        reader.finish()?;
        Ok(Self { wanted, applied, dead: flags.has(DEAD), started })
    }
}
