//! Which layout the keys have, and how older ones are brought up.
//!
//! `P:layout` holds the layout's number, or `N+` while layout `N` is brought up to the next. A commit is refused where
//! anything but our number is there: in a rolling upgrade the older processes stop with words instead of writing into a
//! layout that they do not know.

use redis::Script;

use super::keys::Keys;
use super::link::Link;
use crate::failure::{Failure, Reason};

/// Steps from layout 1 upward; a step is never changed once it was released. Each is a script that is called again until
/// it answers 0, and that works on a bounded number of keys per call: KEYS[1] is where it keeps how far it is,
/// ARGV[1] what every key begins with. It must not mind being called by several processes at once, nor after its end.
const MIGRATIONS: &[&str] = &[include_str!("layout_2.lua")];

/// The layout that this version reads and writes.
pub(super) const LAYOUT: u32 = 2;

const _: () = assert!(MIGRATIONS.len() + 1 == LAYOUT as usize, "one step per layout after the first");

/// Makes the layout of a state that is empty, and brings up an older one.
pub(super) async fn prepare(link: &Link, keys: &Keys) -> Result<(), Failure> {
    migrate(link, keys, MIGRATIONS).await
}

async fn migrate(link: &Link, keys: &Keys, steps: &[&str]) -> Result<(), Failure> {
    let ours = steps.len() + 1;
    let place = keys.layout();
    loop {
        let mut commands = redis::pipe();
        commands.cmd("SET").arg(&place).arg(ours).arg("NX").ignore().cmd("GET").arg(&place);
        let found: String = link.ask(&commands).await?.next()?;
        if found == ours.to_string() {
            return Ok(());
        }
        let number: Option<usize> = found.trim_end_matches('+').parse().ok();
        let Some((layout, step)) =
            number.and_then(|layout| Some((layout, steps.get(layout.checked_sub(1)?)?)))
        else {
            return Err(refused(&found));
        };
        let going_on = format!("{layout}+");
        set(link, &place, &layout.to_string(), &going_on).await?;
        take(link, keys, step).await?;
        set(link, &place, &going_on, &(layout + 1).to_string()).await?;
    }
}

/// Another layout is there than ours, in words.
pub(super) fn refused(found: &str) -> Failure {
    if found.trim_end_matches('+').parse::<u32>().is_err() {
        return Failure::systemic(Reason::Configuration, "another program uses the state's prefix in Redis")
            .advise("give the state a prefix of its own");
    }
    Failure::configuration(format!(
        "the state in Redis has layout {}, and this version of catalog-sync knows layouts up to {LAYOUT}",
        found.trim_end_matches('+')
    ))
    .advise("use the newer catalog-sync that wrote it, or give the state another prefix")
}

/// One step to its end.
async fn take(link: &Link, keys: &Keys, step: &str) -> Result<(), Failure> {
    let script = Script::new(step);
    let mut call = script.prepare_invoke();
    call.key(keys.of("migration")).arg(keys.of(""));
    while link.run::<i64>(&call).await? != 0 {}
    let mut commands = redis::pipe();
    commands.cmd("DEL").arg(keys.of("migration")).ignore();
    link.ask(&commands).await.map(drop)
}

/// Only where it is as it was: another process may be further.
async fn set(link: &Link, place: &str, before: &str, after: &str) -> Result<(), Failure> {
    let script = Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end return 0",
    );
    let mut call = script.prepare_invoke();
    call.key(place).arg(before).arg(after);
    link.run::<i64>(&call).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::stand;
    use super::*;
    use crate::failure::Class;

    /// Moves ten fields per call from the hash `old` to the hash `new`, and notes how often it was called.
    const MOVE: &str = "local old, new = ARGV[1] .. 'old', ARGV[1] .. 'new' \
         redis.call('INCR', KEYS[1]) \
         local fields = redis.call('HRANDFIELD', old, 10) \
         for _, field in ipairs(fields) do \
             redis.call('HSET', new, field, redis.call('HGET', old, field)) \
             redis.call('HDEL', old, field) \
         end \
         return #fields";

    async fn ask<T: redis::FromRedisValue>(link: &Link, command: &str, arguments: &[&str]) -> T {
        let mut commands = redis::pipe();
        commands.cmd(command).arg(arguments);
        link.ask(&commands).await.unwrap().next().unwrap()
    }

    #[tokio::test]
    async fn an_older_layout_is_brought_up_in_steps_by_several_at_once() {
        let (link, keys) = stand::opened(&stand::settings()).await;
        migrate(&link, &keys, &[]).await.unwrap();
        assert_eq!(ask::<u32>(&link, "GET", &[&keys.layout()]).await, 1);
        let (old, new) = (keys.of("old"), keys.of("new"));
        for number in 0..95 {
            ask::<()>(&link, "HSET", &[&old, &number.to_string(), "x"]).await;
        }
        let steps = [MOVE];
        let (one, other) = tokio::join!(migrate(&link, &keys, &steps), migrate(&link, &keys, &steps));
        one.unwrap();
        other.unwrap();
        assert_eq!(ask::<u32>(&link, "GET", &[&keys.layout()]).await, 2);
        assert_eq!(ask::<u32>(&link, "HLEN", &[&new]).await, 95);
        assert_eq!(ask::<u32>(&link, "EXISTS", &[&keys.of("migration"), &old]).await, 0);
    }

    #[tokio::test]
    async fn letters_of_the_first_layout_are_indexed_by_their_reason() {
        let (link, keys) = stand::opened(&stand::settings()).await;
        ask::<()>(&link, "SET", &[&keys.layout(), "1"]).await;
        let name = |name: &str| keys.of(&format!("p:products:0:{name}"));
        for number in 1..=120 {
            let (field, reason) =
                (format!("r{number}"), if number % 3 == 0 { "timeout" } else { "bad_record" });
            let letter = format!(r#"{{"failure":{{"reason":"{reason}"}}}}"#);
            ask::<()>(&link, "HSET", &[&name("l"), &field, &letter]).await;
            ask::<()>(&link, "HSET", &[&name("lv"), &field, "0123456789abcdef"]).await;
            ask::<()>(&link, "ZADD", &[&name("lo"), &number.to_string(), &field]).await;
        }
        let (one, other) = tokio::join!(prepare(&link, &keys), prepare(&link, &keys));
        one.unwrap();
        other.unwrap();
        assert_eq!(ask::<u32>(&link, "GET", &[&keys.layout()]).await, LAYOUT);
        assert_eq!(ask::<u32>(&link, "ZCARD", &[&name("l:bad_record")]).await, 80);
        assert_eq!(ask::<u32>(&link, "ZSCORE", &[&name("l:timeout"), "r9"]).await, 9);
        let value = ask::<String>(&link, "HGET", &[&name("lv"), "r9"]).await;
        assert_eq!(value, "0123456789abcdeftimeout");
        assert_eq!(
            ask::<u32>(&link, "EXISTS", &[&keys.of("migration"), &keys.of("migration:letters")]).await,
            0
        );
    }

    #[tokio::test]
    async fn a_step_that_was_broken_off_is_gone_on_with() {
        let (link, keys) = stand::opened(&stand::settings()).await;
        ask::<()>(&link, "SET", &[&keys.layout(), "1+"]).await;
        ask::<()>(&link, "HSET", &[&keys.of("old"), "a", "x"]).await;
        migrate(&link, &keys, &[MOVE]).await.unwrap();
        assert_eq!(ask::<String>(&link, "GET", &[&keys.layout()]).await, "2");
        assert_eq!(ask::<u32>(&link, "HLEN", &[&keys.of("new")]).await, 1);
    }

    #[tokio::test]
    async fn a_newer_layout_and_a_foreign_key_are_refused_in_words() {
        let (link, keys) = stand::opened(&stand::settings()).await;
        for (found, words) in
            [("3", "layout 3"), ("3+", "layout 3"), ("theirs", "another program"), ("0", "layout 0")]
        {
            ask::<()>(&link, "SET", &[&keys.layout(), found]).await;
            let failure = prepare(&link, &keys).await.unwrap_err();
            assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Configuration));
            assert!(failure.what().contains(words), "{failure}");
            assert_eq!(ask::<String>(&link, "GET", &[&keys.layout()]).await, found);
        }
    }
}
