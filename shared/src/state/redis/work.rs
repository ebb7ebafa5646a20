//! One call on the records of a pipeline: what its rule needs is read, the rule is applied here, and one script writes
//! what the rule changed, where all that was read is as it was. Else the whole call begins anew.

use jiff::Timestamp;
use redis::Pipeline as Commands;

use super::RedisState;
use super::answers::{Answers, damaged};
use super::commit::{Commit, Committed};
use super::head::{self, HeadRow, TOTALS, totals};
use super::index::{index_image, index_record, write_letters};
use super::keys::{self, Generation};
use super::value::{Unreadable, Value};
use crate::failure::{Class, Failure, Reason};
use crate::job::JobKind;
use crate::record::{PipelineName, RecordKey, RunId, Version};
use crate::state::rules::{Change, Head, Image, Needs, Record, Work, presence_of};

/// How often a call begins anew because others changed what it had read.
const CONFLICTS: u32 = 100;

/// What was read for a call.
pub(super) struct Loaded {
    pub(super) row: HeadRow,
    pub(super) work: Work,
    /// Each record as it stands in Redis, also where nothing stands.
    records: Vec<(RecordKey, Found)>,
    images: Vec<(RecordKey, Found)>,
    letters: Vec<FoundLetter>,
    /// The run that gives places, and whether it is there.
    places: Option<(RunId, bool)>,
    asks_for_workers: bool,
}

/// The version of a letter as it was read.
pub(super) struct FoundLetter {
    pub(super) kind: JobKind,
    pub(super) key: RecordKey,
    pub(super) version: Option<Vec<u8>>,
}

/// A value as it was read: in its bucket, or among the wide ones, or nowhere.
#[derive(Debug, Default)]
struct Found {
    bucket: Option<Vec<u8>>,
    wide: Option<Vec<u8>>,
}

impl RedisState {
    /// Reads what `needs` names, has `rule` change it and writes what changed.
    pub(super) async fn apply<'a, T>(
        &self,
        name: &PipelineName,
        needs: impl Fn(&Head) -> Needs<'a>,
        rule: impl Fn(&mut Work) -> T,
    ) -> Result<T, Failure> {
        for conflicts in 0..CONFLICTS {
            let mut loaded = self.load(name, &needs).await?;
            self.hear(&mut loaded).await?;
            let answer = rule(&mut loaded.work);
            if !loaded.work.is_due() {
                return Ok(answer);
            }
            match self.commit(&self.changes(name, loaded)?).await? {
                Committed::Done => return Ok(answer),
                Committed::Conflict => self.step_aside(conflicts).await,
            }
        }
        Err(contended())
    }

    /// The pipeline's head is read together with what its last known state needs; where that was too little, or about
    /// another generation, once more.
    pub(super) async fn load<'a>(
        &self,
        name: &PipelineName,
        needs: impl Fn(&Head) -> Needs<'a>,
    ) -> Result<Loaded, Failure> {
        let mut known = self.recalled(name);
        loop {
            let names = known.keys(&self.keys, name);
            let asked = needs(&known.head);
            // In one moment: totals that are younger than the records would be counted wrongly.
            let mut commands = redis::pipe();
            commands.atomic();
            head::ask(&mut commands, &self.keys, name);
            ask_values(&mut commands, &names, JobKind::Record, asked.records.iter().copied());
            ask_values(&mut commands, &names, JobKind::Image, asked.images.iter().copied());
            if !asked.letters.is_empty() {
                let fields = asked.letters.iter().map(|(kind, key)| keys::letter_field(*kind, key));
                commands.cmd("HMGET").arg(names.letter_versions()).arg(fields.collect::<Vec<_>>());
            }
            if let Some(run) = asked.places {
                commands.cmd("HGET").arg(self.keys.run(run)).arg("enqueued");
            }
            let mut answers = self.link.ask(&commands).await?;
            let (now, row) = head::read(&mut answers)?;
            let is_enough = row.generation == known.generation && needs(&row.head) == asked;
            self.remember(name, &row);
            if is_enough {
                return Loaded::read(now, row, &asked, &mut answers);
            }
            known = row;
        }
    }

    /// Whether the workers are alive that have something in hand of what was read.
    pub(super) async fn hear(&self, loaded: &mut Loaded) -> Result<(), Failure> {
        if !loaded.asks_for_workers {
            return Ok(());
        }
        let workers = loaded.work.workers();
        let names: Vec<String> = workers.iter().map(presence_of).collect();
        let memos = self.texts(&names).await?;
        for (worker, memo) in workers.into_iter().zip(memos) {
            loaded.work.hear(worker, memo.as_deref());
        }
        Ok(())
    }

    fn changes(&self, name: &PipelineName, loaded: Loaded) -> Result<Commit, Failure> {
        let Loaded { row, work, records, images, letters, places, .. } = loaded;
        let (names, head) = (row.keys(&self.keys, name), self.keys.head(name));
        let mut commit = Commit::at(work.now);
        let moved = work.head.after.sequence != work.head.before.sequence;
        row.expect(&mut commit, &head, &["generation", "epoch", "floor"]);
        if moved {
            row.expect(&mut commit, &head, &["sequence"]);
        }
        for (key, found) in &records {
            let bucket = names.bucket(JobKind::Record, key);
            found.expect(&mut commit, &bucket, &names.wide(JobKind::Record), key);
            if let Some(record) = work.records.get(key).filter(|record| record.is_due()) {
                found.replace(&mut commit, &bucket, &names.wide(JobKind::Record), key, &record.after);
                index_record(&mut commit, &names, key, record);
            }
        }
        for (key, found) in &images {
            let bucket = names.bucket(JobKind::Image, key);
            found.expect(&mut commit, &bucket, &names.wide(JobKind::Image), key);
            if let Some(image) = work.images.get(key).filter(|image| image.is_due()) {
                found.replace(&mut commit, &bucket, &names.wide(JobKind::Image), key, &image.after);
                index_image(&mut commit, &names, key, image);
            }
        }
        write_letters(&mut commit, &names, &head, &letters, &work)?;
        match places {
            Some((run, false)) if work.places.is_due() => return Err(lost(run)),
            Some((run, _)) => {
                let enqueued = difference(work.places.before, work.places.after);
                commit.add(&self.keys.run(run), "enqueued", enqueued);
            }
            None => {}
        }
        for counted in &work.counted {
            commit.count(&self.keys, counted.run, counted.place, counted.outcome);
        }
        if moved {
            commit.set(&head, "sequence", work.head.after.sequence.to_string());
        }
        let (before, after) = (totals(&work.head.before.counts), totals(&work.head.after.counts));
        for (field, (before, after)) in TOTALS.iter().zip(before.into_iter().zip(after)) {
            commit.add(&head, field, difference(before, after));
        }
        Ok(commit)
    }
}

pub(super) fn contended() -> Failure {
    Failure::new(
        Class::Transient,
        Reason::Conflict,
        "other processes keep changing the same part of the state in Redis",
    )
}

fn lost(run: RunId) -> Failure {
    Failure::systemic(Reason::Locked, format!("run {run} is no longer in the state in Redis"))
        .advise("start a new run; let Redis evict nothing (maxmemory-policy noeviction)")
}

fn difference(before: u64, after: u64) -> i64 {
    i64::try_from(after).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX)
}

fn ask_values<'a>(
    commands: &mut Commands,
    names: &Generation,
    kind: JobKind,
    keys: impl Iterator<Item = &'a RecordKey> + Clone,
) {
    let wide: Vec<&str> = keys.clone().map(RecordKey::as_str).collect();
    if wide.is_empty() {
        return;
    }
    commands.cmd("HMGET").arg(names.wide(kind)).arg(wide);
    for key in keys {
        commands.cmd("HGET").arg(names.bucket(kind, key)).arg(key.as_str());
    }
}

fn read_values<'a, V: Value + Clone + PartialEq>(
    answers: &mut Answers,
    keys: impl Iterator<Item = &'a RecordKey>,
    mut insert: impl FnMut(&RecordKey, V),
) -> Result<Vec<(RecordKey, Found)>, Failure> {
    let mut keys = keys.peekable();
    if keys.peek().is_none() {
        return Ok(Vec::new());
    }
    let wide: Vec<Option<Vec<u8>>> = answers.next()?;
    let mut found = Vec::with_capacity(wide.len());
    for (key, wide) in keys.zip(wide) {
        let value = Found { bucket: answers.next()?, wide };
        match value.bytes().map(V::decode) {
            None => {}
            Some(Ok(known)) => insert(key, known),
            Some(Err(Unreadable::Newer(format))) => return Err(newer(format)),
            // The sink is asked what it has, as for a record that was never heard of.
            Some(Err(Unreadable::Broken(_))) => {
                tracing::warn!(%key, "what the state knows of this record cannot be read: taken as unknown");
            }
        }
        found.push((key.clone(), value));
    }
    Ok(found)
}

/// A value that is not to be touched, in words.
pub(super) fn newer(format: u8) -> Failure {
    Failure::configuration(format!(
        "the state in Redis holds values of format {format}, which a newer version wrote"
    ))
    .advise("use the newer catalog-sync that wrote them")
}

impl Loaded {
    fn read(now: Timestamp, row: HeadRow, asked: &Needs<'_>, answers: &mut Answers) -> Result<Self, Failure> {
        let mut work = Work::new(now, row.head.clone());
        let records = read_values(answers, asked.records.iter().copied(), |key, record: Record| {
            work.records.insert(key.clone(), Change::none(record));
        })?;
        let images = read_values(answers, asked.images.iter().copied(), |key, image: Image| {
            work.images.insert(key.clone(), Change::none(image));
        })?;
        let (mut letters, mut places) = (Vec::new(), None);
        if !asked.letters.is_empty() {
            let versions: Vec<Option<Vec<u8>>> = answers.next()?;
            for ((kind, key), bytes) in asked.letters.iter().copied().zip(versions) {
                if let Some(bytes) = &bytes {
                    let (version, _) =
                        keys::of_letter_value(bytes).ok_or_else(|| damaged("a dead letter's version"))?;
                    work.letters.insert((kind, key.clone()), Change::none(Some(version)));
                }
                letters.push(FoundLetter { kind, key: key.clone(), version: bytes });
            }
        }
        if let Some(run) = asked.places {
            let enqueued: Option<u64> = answers.next()?;
            work.places = Change::none(enqueued.unwrap_or_default());
            places = Some((run, enqueued.is_some()));
        }
        Ok(Self { row, work, records, images, letters, places, asks_for_workers: asked.workers })
    }
}

impl Found {
    fn bytes(&self) -> Option<&[u8]> {
        self.wide.as_deref().or(self.bucket.as_deref())
    }

    /// A bucket counts only where nothing is among the wide ones.
    fn expect(&self, commit: &mut Commit, bucket: &str, wide: &str, key: &RecordKey) {
        commit.expect(wide, key.as_str(), self.wide.as_deref());
        if self.wide.is_none() {
            commit.expect(bucket, key.as_str(), self.bucket.as_deref());
        }
    }

    /// What once stood in its bucket stays there, overtaken, while the newer value is among the wide ones: whoever walks
    /// over the wide ones and then over the buckets meets every record, whatever moves meanwhile.
    fn replace(&self, commit: &mut Commit, bucket: &str, wide: &str, key: &RecordKey, value: &impl Value) {
        let bytes = value.encode();
        let is_kept = !value.is_empty();
        let in_bucket = is_kept && value.is_settled() && keys::is_narrow(key, &bytes);
        if in_bucket {
            commit.set(bucket, key.as_str(), &bytes);
        } else if is_kept {
            commit.set(wide, key.as_str(), &bytes);
        } else if self.bucket.is_some() {
            commit.unset(bucket, key.as_str());
        }
        if self.wide.is_some() && (in_bucket || !is_kept) {
            commit.unset(wide, key.as_str());
        }
    }
}

/// A page of an index by version, from `after` on and below `before`, both as bytes of members.
pub(super) fn page(index: &str, after: Option<Version>, before: Option<Version>, limit: usize) -> redis::Cmd {
    let bound = |version: Version, past: bool| {
        let mut bytes = vec![b'('];
        bytes.extend_from_slice(&keys::version_bytes(version));
        if past {
            // Beyond any key of that version.
            bytes.push(0xff);
        }
        bytes
    };
    let from = after.map_or(b"-".to_vec(), |version| bound(version, true));
    let to = before.map_or(b"+".to_vec(), |version| bound(version, false));
    let mut command = redis::cmd("ZRANGEBYLEX");
    command.arg(index).arg(from).arg(to).arg("LIMIT").arg(0).arg(limit);
    command
}
