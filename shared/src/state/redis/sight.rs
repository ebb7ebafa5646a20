//! Records as they are looked at, and the walk over all of them: first over the wide ones, then over the buckets.
//!
//! A record moves between the two while it is walked over. None is missed, as what once stood in its bucket stays there
//! until it is forgotten (see `Found::replace`): it is met there, or it was among the wide ones from the begin of the walk
//! until it was met. One that moves into its bucket after it was met among the wide ones is met twice.

use std::sync::LazyLock;

use redis::Script;

use super::RedisState;
use super::answers::damaged;
use super::head::HeadRow;
use super::keys::{self, BUCKETS, Generation};
use super::letter::letter_of;
use super::value::{Unreadable, Value};
use super::work::newer;
use crate::failure::Failure;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey};
use crate::state::rules::{Image, Needs, Record};
use crate::state::{Known, KnownPage, Sight};

/// Buckets looked at in one call, as nothing else is done by the server meanwhile.
const STEP: u32 = 1 << 12;

/// ARGV: what the names begin with, the first bucket, the one behind the last, records that are enough. Answers the next
/// bucket, and of each record its key, its value and its image's ('' where there is none).
static BUCKETS_FROM: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local prefix, bucket, last = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]) \
         local found = {} \
         while bucket < last and #found < 3 * tonumber(ARGV[4]) do \
             local name = string.format('%x', bucket) \
             local values = redis.call('HGETALL', prefix .. 'r' .. name) \
             if #values > 0 then \
                 local keys = {} \
                 for at = 1, #values, 2 do keys[#keys + 1] = values[at] end \
                 local wide = redis.call('HMGET', prefix .. 'r', unpack(keys)) \
                 local images = redis.call('HMGET', prefix .. 'i' .. name, unpack(keys)) \
                 local wide_images = redis.call('HMGET', prefix .. 'i', unpack(keys)) \
                 for at, key in ipairs(keys) do \
                     found[#found + 1] = key \
                     found[#found + 1] = wide[at] or values[2 * at] \
                     found[#found + 1] = wide_images[at] or images[at] or '' \
                 end \
             end \
             bucket = bucket + 1 \
         end \
         return { bucket, found }",
    )
});

/// Where a walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The server's cursor.
    Wide(u64),
    Bucket(u32),
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        let (kind, number) = text.split_at_checked(1)?;
        match kind {
            "w" => number.parse().ok().map(Self::Wide),
            "b" => number.parse().ok().filter(|bucket| *bucket < BUCKETS).map(Self::Bucket),
            _ => None,
        }
    }
}

/// A field of a hash, and its value.
type Field = (Vec<u8>, Vec<u8>);

/// A record as it was met: its key, its value, its image's or nothing.
type Met = (Vec<u8>, Vec<u8>, Vec<u8>);

impl RedisState {
    pub(in crate::state) async fn look(
        &self,
        name: &PipelineName,
        key: &RecordKey,
    ) -> Result<Option<Sight>, Failure> {
        let mut loaded = self.load(name, |_| Needs::look(key)).await?;
        self.hear(&mut loaded).await?;
        let Some(sight) = Sight::of(&loaded.work, key) else {
            return Ok(None);
        };
        let fields = [JobKind::Record, JobKind::Image].map(|kind| keys::letter_field(kind, key));
        let mut commands = redis::pipe();
        commands.cmd("HMGET").arg(loaded.row.keys(&self.keys, name).letters()).arg(&fields);
        let texts: Vec<Option<Vec<u8>>> = self.link.ask(&commands).await?.next()?;
        let mut letters = texts.iter().map(|text| text.as_deref().map(letter_of).transpose());
        let mut next = || letters.next().transpose().map(Option::flatten);
        Ok(Some(Sight { letter: next()?, image_letter: next()?, ..sight }))
    }

    pub(in crate::state) async fn known(
        &self,
        name: &PipelineName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<KnownPage, Failure> {
        let place = after.map_or(Some(Place::Wide(0)), Place::read).ok_or_else(|| {
            Failure::configuration("this place in a walk over the records is none of a state in Redis")
                .advise("begin the walk anew")
        })?;
        let row = self.head(name).await?.1;
        let (met, next) = match place {
            Place::Wide(cursor) => self.wide(&row.keys(&self.keys, name), cursor, limit).await?,
            Place::Bucket(bucket) => self.buckets(&row.keys(&self.keys, name), bucket, limit).await?,
        };
        let mut records = Vec::with_capacity(met.len());
        for met in &met {
            records.extend(known(&row, met)?);
        }
        Ok(KnownPage { records, next })
    }

    /// Those that stand in their bucket, too, are met there.
    async fn wide(
        &self,
        names: &Generation,
        cursor: u64,
        limit: usize,
    ) -> Result<(Vec<Met>, Option<String>), Failure> {
        let mut commands = redis::pipe();
        commands.cmd("HSCAN").arg(names.wide(JobKind::Record)).arg(cursor).arg("COUNT").arg(limit.max(1));
        let (cursor, values): (u64, Vec<Field>) = self.link.ask(&commands).await?.next()?;
        let next = if cursor == 0 { "b0".to_owned() } else { format!("w{cursor}") };
        let mut commands = redis::pipe();
        for (key, _) in &values {
            let Some(key) = std::str::from_utf8(key).ok().and_then(|key| key.parse::<RecordKey>().ok())
            else {
                return Err(damaged("the key of a record"));
            };
            commands.cmd("HEXISTS").arg(names.bucket(JobKind::Record, &key)).arg(key.as_str());
            commands.cmd("HGET").arg(names.wide(JobKind::Image)).arg(key.as_str());
            commands.cmd("HGET").arg(names.bucket(JobKind::Image, &key)).arg(key.as_str());
        }
        let mut met = Vec::with_capacity(values.len());
        if !values.is_empty() {
            let mut answers = self.link.ask(&commands).await?;
            for (key, value) in values {
                let is_in_bucket: bool = answers.next()?;
                let (wide, bucket): (Option<Vec<u8>>, Option<Vec<u8>>) = (answers.next()?, answers.next()?);
                if !is_in_bucket {
                    met.push((key, value, wide.or(bucket).unwrap_or_default()));
                }
            }
        }
        Ok((met, Some(next)))
    }

    async fn buckets(
        &self,
        names: &Generation,
        first: u32,
        limit: usize,
    ) -> Result<(Vec<Met>, Option<String>), Failure> {
        let mut call = BUCKETS_FROM.prepare_invoke();
        call.arg(names.prefix()).arg(first).arg(BUCKETS.min(first + STEP)).arg(limit.max(1));
        let (bucket, met): (u32, Vec<Met>) = self.link.run(&call).await?;
        Ok((met, (bucket < BUCKETS).then(|| format!("b{bucket}"))))
    }
}

/// Nothing where it cannot be read: it is unknown to every call.
fn known(row: &HeadRow, (key, value, image): &Met) -> Result<Option<Known>, Failure> {
    let Some(key) = std::str::from_utf8(key).ok().and_then(|key| key.parse().ok()) else {
        return Err(damaged("the key of a record"));
    };
    let image = if row.head.has_images() && !image.is_empty() { read::<Image>(image)? } else { None };
    let record = read::<Record>(value)?;
    Ok(record.map(|record| Known::of(&key, &record, &image.unwrap_or_default())))
}

fn read<V: Value>(bytes: &[u8]) -> Result<Option<V>, Failure> {
    match V::decode(bytes) {
        Ok(value) => Ok(Some(value)),
        Err(Unreadable::Newer(format)) => Err(newer(format)),
        Err(Unreadable::Broken(_)) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_walk_is_one_of_ours() {
        assert_eq!(Place::read("w0"), Some(Place::Wide(0)));
        assert_eq!(Place::read("b131071"), Some(Place::Bucket(BUCKETS - 1)));
        for other in ["", "b", "w-1", "b131072", "4711", "ü1"] {
            assert_eq!(Place::read(other), None, "{other}");
        }
    }
}
