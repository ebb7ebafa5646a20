//! Records as bytes.

use super::bytes::Broken;
use super::value::{
    APPLIED, DEAD, Flags, SAME, SINCE, SINK_ID, STARTED, Unreadable, Value, WANTED, WORKER, begin, begin_as,
    flag_mark, open, read_mark, write_mark,
};
use crate::record::RunId;
use crate::state::rules::{Applied, Doubt, Noted, Record, Stage};

const IMAGE: u16 = 1 << 8;
const DIRTY: u16 = 1 << 9;
const SAME_CHECKSUM: u16 = 1 << 10;
const DOUBT: u16 = 1 << 11;
/// Since format 2.
const ARCHIVED: u16 = 1 << 12;
const KNOWN: u16 = WANTED
    | APPLIED
    | DEAD
    | STARTED
    | WORKER
    | SINCE
    | SINK_ID
    | SAME
    | IMAGE
    | DIRTY
    | SAME_CHECKSUM
    | DOUBT
    | ARCHIVED;

impl Value for Record {
    fn is_empty(&self) -> bool {
        self.is_forgotten()
    }

    fn is_settled(&self) -> bool {
        matches!(self.stage(), Stage::Applied | Stage::Dead) && self.started.is_none() && self.doubt.is_none()
    }

    fn encode(&self) -> Vec<u8> {
        let Self { wanted, applied, dead, dirty, started, doubt, archived } = self;
        let both = wanted.as_ref().zip(applied.as_ref());
        let same = both.is_some_and(|(wanted, applied)| wanted.version == applied.version);
        let same_checksum = both.is_some_and(|(wanted, applied)| wanted.checksum == applied.checksum);
        let mut flags = Flags::default();
        flags.set(WANTED, wanted.is_some());
        flags.set(APPLIED, applied.is_some());
        flags.set(DEAD, *dead);
        flags.set(DIRTY, *dirty);
        flag_mark(&mut flags, started.as_ref());
        flags.set(DOUBT, doubt.is_some());
        flags.set(ARCHIVED, *archived);
        flags.set(SAME, same);
        flags.set(SAME_CHECKSUM, same_checksum);
        flags.set(SINCE, wanted.as_ref().is_some_and(|wanted| wanted.since.is_some()));
        flags.set(IMAGE, wanted.as_ref().is_some_and(|wanted| wanted.image.is_some()));
        flags.set(SINK_ID, applied.as_ref().is_some_and(|applied| applied.sink_id.is_some()));
        // Processes that know nothing of records that are gone are to stop, not to forget it.
        let mut writer = if *archived { begin_as(2, flags) } else { begin(flags) };
        if let Some(Noted { version, checksum, image, run, place, since }) = wanted {
            writer.version(*version);
            writer.checksum(checksum);
            writer.number(run.0);
            writer.number(*place);
            writer.maybe(since.as_ref(), |writer, since| writer.time(*since));
            writer.maybe(image.as_ref(), |writer, image| writer.text(image.as_str()));
        }
        if let Some(Applied { version, checksum, sink_id }) = applied {
            if !same {
                writer.version(*version);
            }
            if !same_checksum {
                writer.checksum(checksum);
            }
            writer.maybe(sink_id.as_ref(), |writer, sink_id| writer.text(sink_id));
        }
        writer.maybe(started.as_ref(), write_mark);
        if let Some(Doubt { version, until }) = doubt {
            writer.version(*version);
            writer.time(*until);
        }
        writer.finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (flags, mut reader) = open(bytes, KNOWN)?;
        let reader = &mut reader;
        let wanted = flags.read(WANTED, || {
            Ok(Noted {
                version: reader.version()?,
                checksum: reader.checksum()?,
                run: RunId(reader.number()?),
                place: reader.number()?,
                since: flags.read(SINCE, || reader.time())?,
                image: flags.read(IMAGE, || reader.parsed())?,
            })
        })?;
        let applied = flags.read(APPLIED, || {
            let wanted = wanted.as_ref();
            let version = if flags.has(SAME) { wanted.ok_or(Broken)?.version } else { reader.version()? };
            let checksum =
                if flags.has(SAME_CHECKSUM) { wanted.ok_or(Broken)?.checksum } else { reader.checksum()? };
            Ok(Applied { version, checksum, sink_id: flags.read(SINK_ID, || reader.text())? })
        })?;
        let started = read_mark(flags, reader)?;
        let doubt = flags.read(DOUBT, || Ok(Doubt { version: reader.version()?, until: reader.time()? }))?;
        reader.finish()?;
        Ok(Self {
            wanted,
            applied,
            dead: flags.has(DEAD),
            dirty: flags.has(DIRTY),
            started,
            doubt,
            archived: flags.has(ARCHIVED),
        })
    }
}
