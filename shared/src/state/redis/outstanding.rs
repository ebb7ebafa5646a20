//! What is outstanding: records and images by version, and images that wait for their time.

use std::sync::LazyLock;

use jiff::Timestamp;
use redis::Script;

use super::RedisState;
use super::answers::damaged;
use super::keys;
use super::value::{Unreadable, Value};
use super::work::{newer, page};
use crate::failure::Failure;
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey, Version};
use crate::state::rules::{self, DOUBTS_AT_ONCE, Image, Needs, Record, Stage};
use crate::state::{Outstanding, OutstandingImage};

/// Values read in one request.
const PAGE: usize = 1_000;

/// Images whose time has come go from those that wait to those that are due; so many in one call, as nothing else is done
/// by the server meanwhile.
static DUE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 2000) \
         for _, image in ipairs(due) do \
             redis.call('ZADD', KEYS[2], 0, image) \
             redis.call('ZREM', KEYS[1], image) \
         end \
         return #due",
    )
});

impl RedisState {
    pub(in crate::state) async fn outstanding(
        &self,
        name: &PipelineName,
        before: Version,
        limit: usize,
    ) -> Result<Vec<Outstanding>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        let index = names.outstanding(JobKind::Record);
        let read = |version, key: RecordKey, record: Record| {
            let wanted = record.wanted.as_ref().filter(|wanted| wanted.version == version)?;
            let since = wanted.since.filter(|_| record.stage() == Stage::Outstanding)?;
            Some(Outstanding { key, version, since })
        };
        self.listed(&index, &names.wide(JobKind::Record), (None, Some(before)), limit, read).await
    }

    pub(in crate::state) async fn outstanding_images(
        &self,
        name: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let (now, row) = self.head(name).await?;
        let names = row.keys(&self.keys, name);
        let index = names.outstanding(JobKind::Image);
        let mut call = DUE.prepare_invoke();
        call.key(names.waiting_images()).key(&index).arg(now.as_microsecond());
        self.link.run::<u64>(&call).await?;
        let read = |version, key: RecordKey, image: Image| {
            image.due(&key, now).filter(|image| image.version == version)
        };
        self.listed(&index, &names.wide(JobKind::Image), (after, None), limit, read).await
    }

    /// What an older version of this program left without an entry here is brought in its turn.
    pub(in crate::state) async fn changed_images(
        &self,
        name: &PipelineName,
        after: Option<Version>,
        limit: usize,
    ) -> Result<Vec<OutstandingImage>, Failure> {
        let (now, row) = self.head(name).await?;
        let names = row.keys(&self.keys, name);
        let read = |version, key: RecordKey, image: Image| {
            image.due(&key, now).filter(|image| image.version == version && image.is_change)
        };
        self.listed(&names.changed_images(), &names.wide(JobKind::Image), (after, None), limit, read).await
    }

    pub(in crate::state) async fn next_image_retry(
        &self,
        name: &PipelineName,
    ) -> Result<Option<Timestamp>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        self.earliest(&names.retry_times(), "a retry time").await
    }

    pub(in crate::state) async fn next_doubt(
        &self,
        name: &PipelineName,
    ) -> Result<Option<Timestamp>, Failure> {
        let names = self.head(name).await?.1.keys(&self.keys, name);
        self.earliest(&names.doubts(), "the time of a doubt").await
    }

    /// The first of an index by time.
    async fn earliest(&self, index: &str, what: &'static str) -> Result<Option<Timestamp>, Failure> {
        let mut commands = redis::pipe();
        commands.cmd("ZRANGE").arg(index).arg(0).arg(0).arg("WITHSCORES");
        let first: Vec<(Vec<u8>, i64)> = self.link.ask(&commands).await?.next()?;
        let time = |(_, micros)| Timestamp::from_microsecond(micros).map_err(|_| damaged(what));
        first.into_iter().next().map(time).transpose()
    }

    pub(in crate::state) async fn mature(&self, name: &PipelineName) -> Result<Vec<RecordKey>, Failure> {
        let (now, row) = self.head(name).await?;
        let mut commands = redis::pipe();
        commands.cmd("ZRANGEBYSCORE").arg(row.keys(&self.keys, name).doubts()).arg("-inf");
        commands.arg(now.as_microsecond()).arg("LIMIT").arg(0).arg(DOUBTS_AT_ONCE);
        let keys: Vec<String> = self.link.ask(&commands).await?.next()?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<RecordKey> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        self.apply(name, |_| Needs::records(&keys), |work| rules::mature(work, &keys)).await
    }

    /// Pages of an index with their values. What changed between the two is left out: it is not outstanding any more, or
    /// under another version, which is listed by itself.
    async fn listed<V: Value, T>(
        &self,
        index: &str,
        values: &str,
        (mut after, before): (Option<Version>, Option<Version>),
        limit: usize,
        read: impl Fn(Version, RecordKey, V) -> Option<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        while found.len() < limit {
            let size = (limit - found.len()).min(PAGE);
            let mut commands = redis::pipe();
            commands.add_command(page(index, after, before, size));
            let members: Vec<Vec<u8>> = self.link.ask(&commands).await?.next()?;
            let members: Vec<_> = members.iter().filter_map(|member| keys::of_member(member)).collect();
            let Some((last, _)) = members.last() else {
                break;
            };
            after = Some(*last);
            let mut commands = redis::pipe();
            let fields: Vec<&str> = members.iter().map(|(_, key)| key.as_str()).collect();
            commands.cmd("HMGET").arg(values).arg(fields);
            let bytes: Vec<Option<Vec<u8>>> = self.link.ask(&commands).await?.next()?;
            for ((version, key), bytes) in members.into_iter().zip(bytes) {
                let Some(bytes) = bytes else {
                    continue;
                };
                match V::decode(&bytes) {
                    Ok(value) => found.extend(read(version, key, value)),
                    Err(Unreadable::Newer(format)) => return Err(newer(format)),
                    // As where records are read: nothing is known of it.
                    Err(Unreadable::Broken(_)) => {}
                }
            }
        }
        Ok(found)
    }
}
