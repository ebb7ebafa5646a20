//! One commit: what is expected to be there still, and what is written where all of it is.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use redis::{FromRedisValue, ParsingError, Script, ScriptInvocation, Value, from_redis_value};

use crate::record::{Outcome, RunId};

use super::keys::Keys;

/// See `commit.lua`.
static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("commit.lua")));

/// How long the answer to a commit is remembered, in seconds: longer than any call repeats it.
const REMEMBERED: u32 = 300;

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Committed {
    /// All of it is written.
    Done,
    /// Something is not there as expected: nothing is written.
    Conflict,
}

/// What the script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Decided(Committed),
    /// Another layout is there than ours: nothing is written.
    Layout(String),
}

/// The instructions of `commit.lua`.
#[derive(Debug, Default)]
pub(super) struct Commit {
    /// Keys by their number in the script, from 3.
    keys: Vec<String>,
    numbers: HashMap<String, usize>,
    expected: Vec<Vec<u8>>,
    written: Vec<Vec<u8>>,
    /// By the server's clock, in microseconds.
    now: i64,
}

impl Commit {
    /// One that notes times.
    pub(super) fn at(now: Timestamp) -> Self {
        Self { now: now.as_microsecond(), ..Self::default() }
    }

    fn number(&mut self, key: &str) -> Vec<u8> {
        if let Some(number) = self.numbers.get(key) {
            return number.to_string().into_bytes();
        }
        self.keys.push(key.to_owned());
        let number = self.keys.len() + 2;
        self.numbers.insert(key.to_owned(), number);
        number.to_string().into_bytes()
    }

    /// A field of a hash is as it was read; `None`: it is not there. Values are never empty.
    pub(super) fn expect(&mut self, hash: &str, field: impl AsRef<[u8]>, value: Option<&[u8]>) {
        let hash = self.number(hash);
        let value = value.unwrap_or_default();
        self.expected.extend([b"?".to_vec(), hash, field.as_ref().to_vec(), value.to_vec()]);
    }

    fn write(&mut self, letter: char, keys: &[&str], arguments: &[&[u8]]) {
        self.written.push(letter.to_string().into_bytes());
        for key in keys {
            let number = self.number(key);
            self.written.push(number);
        }
        self.written.extend(arguments.iter().map(|argument| argument.to_vec()));
    }

    pub(super) fn set(&mut self, hash: &str, field: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.write('=', &[hash], &[field.as_ref(), value.as_ref()]);
    }

    /// Only where the field is not there yet.
    pub(super) fn set_once(&mut self, hash: &str, field: &str, value: &str) {
        self.write('!', &[hash], &[field.as_bytes(), value.as_bytes()]);
    }

    pub(super) fn unset(&mut self, hash: &str, field: impl AsRef<[u8]>) {
        self.write('-', &[hash], &[field.as_ref()]);
    }

    pub(super) fn add(&mut self, hash: &str, field: &str, difference: i64) {
        if difference != 0 {
            self.write('+', &[hash], &[field.as_bytes(), difference.to_string().as_bytes()]);
        }
    }

    pub(super) fn index(&mut self, index: &str, score: i64, member: impl AsRef<[u8]>) {
        self.write('i', &[index], &[score.to_string().as_bytes(), member.as_ref()]);
    }

    /// The member becomes the newest of the index, by a counter in a hash.
    pub(super) fn index_newest(&mut self, index: &str, counter: (&str, &str), member: impl AsRef<[u8]>) {
        self.write('n', &[index, counter.0], &[counter.1.as_bytes(), member.as_ref()]);
    }

    /// The member becomes the newest of both indexes, under one number.
    pub(super) fn index_newest_of(
        &mut self,
        indexes: [&str; 2],
        counter: (&str, &str),
        member: impl AsRef<[u8]>,
    ) {
        self.write('m', &[indexes[0], indexes[1], counter.0], &[counter.1.as_bytes(), member.as_ref()]);
    }

    /// The member is in the set.
    pub(super) fn note(&mut self, set: &str, member: impl AsRef<[u8]>) {
        self.write('s', &[set], &[member.as_ref()]);
    }

    pub(super) fn unindex(&mut self, index: &str, member: impl AsRef<[u8]>) {
        self.write('r', &[index], &[member.as_ref()]);
    }

    /// The oldest of the index, and their fields of the hash, go until `left` are left.
    pub(super) fn trim(&mut self, index: &str, hash: &str, left: u64) {
        self.write('t', &[index, hash], &[left.to_string().as_bytes()]);
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.write('u', &[key], &[]);
    }

    /// The end of the job at a place is counted, unless it was.
    pub(super) fn count(&mut self, keys: &Keys, run: RunId, place: u64, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
            Outcome::Gone => "gone",
            Outcome::Superseded => "superseded",
            Outcome::Dead => "dead",
        };
        let place = place.to_string();
        self.write('c', &[&keys.run(run), &keys.places(run)], &[place.as_bytes(), outcome.as_bytes()]);
    }

    /// A run that is counted to its end loses its places, as far as it is over.
    pub(super) fn close(&mut self, keys: &Keys, run: RunId) {
        self.write('o', &[&keys.run(run), &keys.places(run)], &[]);
    }

    /// Jobs of a run that have not ended are superseded, all at once.
    pub(super) fn supersede(&mut self, keys: &Keys, run: RunId) {
        self.write('x', &[&keys.run(run), &keys.places(run)], &[]);
    }

    /// The script's call. `operation` is the name of this commit alone.
    pub(super) fn call(&self, keys: &Keys, operation: &str, layout: u32) -> ScriptInvocation<'static> {
        let mut call = SCRIPT.prepare_invoke();
        call.key(keys.layout()).key(keys.of(&format!("op:{operation}"))).key(&self.keys);
        call.arg(layout).arg(REMEMBERED).arg(self.now);
        for argument in self.expected.iter().chain(&self.written) {
            call.arg(argument.as_slice());
        }
        call
    }
}

impl FromRedisValue for Answer {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let answer: String = from_redis_value(value)?;
        Ok(match answer.as_str() {
            "done" => Self::Decided(Committed::Done),
            "conflict" => Self::Decided(Committed::Conflict),
            _ => Self::Layout(answer),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::LAYOUT;
    use super::super::link::Link;
    use super::super::stand;
    use super::*;

    /// A deployment of its own, and commits by name.
    struct Stand {
        link: Link,
        keys: Keys,
    }

    impl Stand {
        async fn new() -> Self {
            let (link, keys) = stand::opened(&stand::settings()).await;
            Self { link, keys }
        }

        async fn send(&self, operation: &str, commit: &Commit) -> Answer {
            self.link.run(&commit.call(&self.keys, operation, LAYOUT)).await.unwrap()
        }

        async fn done(&self, operation: &str, commit: &Commit) {
            assert_eq!(self.send(operation, commit).await, Answer::Decided(Committed::Done), "{operation}");
        }

        async fn conflict(&self, operation: &str, commit: &Commit) {
            assert_eq!(
                self.send(operation, commit).await,
                Answer::Decided(Committed::Conflict),
                "{operation}"
            );
        }

        async fn get<T: FromRedisValue>(&self, command: &str, arguments: &[&str]) -> T {
            let mut commands = redis::pipe();
            commands.cmd(command).arg(arguments);
            self.link.ask(&commands).await.unwrap().next().unwrap()
        }

        fn name(&self, name: &str) -> String {
            self.keys.of(name)
        }
    }

    #[tokio::test]
    async fn all_is_written_or_nothing() {
        let stand = Stand::new().await;
        let hash = stand.name("hash");
        let mut first = Commit::default();
        first.expect(&hash, "a", None);
        first.set(&hash, "a", "1");
        first.set(&hash, b"\xff\0", b"\0\xfe");
        stand.done("first", &first).await;
        let mut second = Commit::default();
        second.expect(&hash, b"\xff\0", Some(b"\0\xfe"));
        second.expect(&hash, "a", Some(b"0"));
        second.set(&hash, "a", "2");
        second.index(&stand.name("index"), 0, "a");
        stand.conflict("second", &second).await;
        assert_eq!(stand.get::<Vec<String>>("HMGET", &[&hash, "a"]).await, ["1"]);
        assert_eq!(stand.get::<u32>("EXISTS", &[&stand.name("index")]).await, 0);
    }

    #[tokio::test]
    async fn what_was_answered_once_is_answered_again_and_nothing_is_done() {
        let stand = Stand::new().await;
        let hash = stand.name("hash");
        let mut add = Commit::default();
        add.add(&hash, "number", 5);
        stand.done("add", &add).await;
        stand.done("add", &add).await;
        assert_eq!(stand.get::<u32>("HGET", &[&hash, "number"]).await, 5);
        let mut swap = Commit::default();
        swap.expect(&hash, "number", Some(b"7"));
        swap.set(&hash, "number", "8");
        stand.conflict("swap", &swap).await;
        let mut other = Commit::default();
        other.set(&hash, "number", "7");
        stand.done("other", &other).await;
        // It arrives a second time, late: whoever sent it has gone on with other values since.
        stand.conflict("swap", &swap).await;
        assert_eq!(stand.get::<u32>("HGET", &[&hash, "number"]).await, 7);
        let operation = stand.name("op:swap");
        assert!((1..=i64::from(REMEMBERED)).contains(&stand.get::<i64>("TTL", &[&operation]).await));
    }

    #[tokio::test]
    async fn another_layout_is_not_written_to() {
        let stand = Stand::new().await;
        let mut commit = Commit::default();
        commit.set(&stand.name("hash"), "a", "1");
        for other in ["1", "2+", "3"] {
            stand.get::<()>("SET", &[&stand.keys.layout(), other]).await;
            assert_eq!(stand.send("one", &commit).await, Answer::Layout(other.to_owned()));
        }
        assert_eq!(stand.get::<u32>("EXISTS", &[&stand.name("hash"), &stand.name("op:one")]).await, 0);
        // A state that was wiped is ours to write to.
        stand.get::<()>("DEL", &[&stand.keys.layout()]).await;
        stand.done("one", &commit).await;
        assert_eq!(stand.get::<u32>("GET", &[&stand.keys.layout()]).await, LAYOUT);
    }

    #[tokio::test]
    async fn the_oldest_of_an_index_go_with_their_fields() {
        let stand = Stand::new().await;
        let (index, hash, counters) = (stand.name("index"), stand.name("hash"), stand.name("counters"));
        for name in ["c", "a", "b", "d"] {
            let mut commit = Commit::default();
            commit.set(&hash, name, "text");
            commit.index_newest(&index, (&counters, "newest"), name);
            commit.trim(&index, &hash, 2);
            stand.done(name, &commit).await;
        }
        assert_eq!(stand.get::<Vec<String>>("ZRANGE", &[&index, "0", "-1"]).await, ["b", "d"]);
        assert_eq!(stand.get::<Vec<String>>("HKEYS", &[&hash]).await, ["b", "d"]);
    }

    #[tokio::test]
    async fn a_place_is_counted_once_and_only_where_it_was_given() {
        let stand = Stand::new().await;
        let (run, unknown) = (RunId(7), RunId(8));
        let (name, places) = (stand.keys.run(run), stand.keys.places(run));
        let mut commit = Commit::default();
        commit.set(&name, "enqueued", "3");
        commit.set(&name, "over", "complete");
        commit.count(&stand.keys, run, 0, Outcome::Created);
        commit.count(&stand.keys, run, 0, Outcome::Dead);
        commit.count(&stand.keys, run, 3, Outcome::Dead);
        commit.count(&stand.keys, unknown, 0, Outcome::Dead);
        stand.done("first", &commit).await;
        let ledger = ["created", "dead", "updated", "superseded", "settled"];
        let read = async || -> Vec<Option<u64>> {
            stand.get("HMGET", &[&[name.as_str()], &ledger[..]].concat()).await
        };
        assert_eq!(read().await, [Some(1), None, None, None, None]);
        assert_eq!(
            stand.get::<u32>("EXISTS", &[&stand.keys.run(unknown), &stand.keys.places(unknown)]).await,
            0
        );
        assert_eq!(stand.get::<u32>("EXISTS", &[&places]).await, 1);

        let mut commit = Commit::at(Timestamp::from_microsecond(42).unwrap());
        commit.count(&stand.keys, run, 1, Outcome::Updated);
        commit.supersede(&stand.keys, run);
        stand.done("second", &commit).await;
        assert_eq!(read().await, [Some(1), None, Some(1), Some(1), Some(42)]);
        assert_eq!(stand.get::<u32>("EXISTS", &[&places]).await, 0, "nothing is left to be counted");
        let mut late = Commit::default();
        late.count(&stand.keys, run, 2, Outcome::Dead);
        stand.done("late", &late).await;
        assert_eq!(read().await, [Some(1), None, Some(1), Some(1), Some(42)]);
        assert_eq!(stand.get::<u32>("EXISTS", &[&places]).await, 0);
    }
}
