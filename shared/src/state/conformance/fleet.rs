//! Rules of the Redis store alone: many processes at once, and how things are kept.

use std::collections::BTreeSet;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, FromRedisValue, IntoConnectionInfo, RedisConnectionInfo};
use tokio::task::JoinSet;

use super::*;

/// Who looks into Redis, and does mischief there.
pub(super) struct Plain {
    connection: MultiplexedConnection,
    prefix: String,
}

impl Plain {
    pub(super) async fn of(store: &Redis) -> Self {
        let redis =
            RedisConnectionInfo::default().set_username(services::USER).set_password(services::PASSWORD);
        let info = store.0.url.as_str().into_connection_info().unwrap().set_redis_settings(redis);
        let connection = Client::open(info).unwrap().get_multiplexed_async_connection().await.unwrap();
        Self { connection, prefix: store.0.prefix.clone() }
    }

    pub(super) async fn ask<T: FromRedisValue>(&mut self, words: &[&str]) -> T {
        let (command, arguments) = words.split_first().unwrap();
        ::redis::cmd(command).arg(arguments).query_async(&mut self.connection).await.unwrap()
    }

    /// All keys that begin so, after the prefix.
    pub(super) async fn keys(&mut self, beginning: &str) -> BTreeSet<String> {
        let pattern = format!("{}:{beginning}*", self.prefix);
        let mut found = BTreeSet::new();
        let mut cursor = "0".to_owned();
        loop {
            let (next, keys): (String, Vec<String>) =
                self.ask(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "10000"]).await;
            found.extend(keys);
            if next == "0" {
                return found;
            }
            cursor = next;
        }
    }

    /// Whether a key below `r` is one of the buckets: their numbers are hexadecimal.
    pub(super) fn is_bucket(key: &str) -> bool {
        let number = key.rsplit(":r").next().unwrap_or_default();
        !number.is_empty() && number.chars().all(|digit| digit.is_ascii_hexdigit()) && number != "d"
    }

    pub(super) fn name(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }
}

/// Wants new values of records, all at once.
async fn enqueue_all(state: &State, run: &Run, ids: std::ops::Range<u64>) -> Vec<Made> {
    let wants: Vec<Want> = ids.clone().map(|id| want_of(id, 1)).collect();
    let answers = state.want(run, &wants, false).await.unwrap();
    ids.zip(answers).map(|(id, answer)| made(run, id, 1, answer)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_claims_at_once_each_counts_the_marks_of_all_before() {
    const CLAIMS: u32 = 20;
    let store = Redis::new().await;
    let state = store.open().await;
    let job = enqueue(&state, &begin(&state).await, 1, 1).await;
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let state = store.open().await;
        workers.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..CLAIMS {
                seen.push(marks(&job.claim(&state).await));
            }
            seen
        });
    }
    let mut seen: Vec<u32> = workers.join_all().await.into_iter().flatten().collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..4 * CLAIMS).collect::<Vec<_>>());
}

/// Totals and ledgers are kept by differences: whoever reads them at another moment than the records gets them wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn totals_and_ledgers_are_right_after_a_race_of_producer_and_workers() {
    const RECORDS: u64 = 300;
    let store = Redis::new().await;
    let producer = store.open().await;
    let run = begin(&producer).await;
    let (jobs, made) = tokio::sync::watch::channel(Vec::new());
    let mut workers = JoinSet::new();
    for number in 0..3_usize {
        let (state, mut made) = (store.open().await, made.clone());
        workers.spawn(async move {
            // Every job is delivered to all of them, in batches of other sizes.
            let mut done = 0;
            while done < usize::try_from(RECORDS).unwrap() {
                made.wait_for(|jobs: &Vec<Made>| jobs.len() > done).await.unwrap();
                let batch: Vec<Made> =
                    made.borrow().iter().skip(done).take(3 + 4 * number).copied().collect();
                let claims: Vec<Claim> =
                    batch.iter().map(|job| Claim { key: job.id.into(), version: job.version }).collect();
                state.claim(&products(), &claims, &us()).await.unwrap();
                let settled: Vec<Settled> = batch.iter().map(|job| job.settled(Outcome::Created)).collect();
                state.settle(&products(), &settled).await.unwrap();
                done += batch.len();
            }
        });
    }
    for first in (0..RECORDS).step_by(10) {
        let new = enqueue_all(&producer, &run, first..first + 10).await;
        jobs.send_modify(|jobs| jobs.extend(new));
    }
    workers.join_all().await;
    let expected = Counts { wanted: RECORDS, applied: RECORDS, ..Counts::default() };
    assert_eq!(counts(&producer).await, expected);
    let expected = Ledger { seen: RECORDS, enqueued: RECORDS, created: RECORDS, ..Ledger::default() };
    assert_eq!(finish(&producer, &run).await.ledger, expected);
    assert_eq!(outstanding(&producer).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_producers_that_begin_at_once_one_is_taken_over() {
    let store = Redis::new().await;
    let [one, other] = [store.open().await, store.open().await];
    let (first, second) = tokio::join!(begin(&one), begin(&other));
    assert!(first.id != second.id && first.epoch != second.epoch);
    let results =
        [one.want(&first, &[want_of(1, 1)], false).await, other.want(&second, &[want_of(1, 1)], false).await];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let lost = results.iter().find_map(|result| result.as_ref().err()).unwrap();
    assert_eq!((lost.class, lost.reason), (Class::Systemic, Reason::Locked));
    let ends: Vec<_> = one.runs(None, 10).await.unwrap().into_iter().map(|run| run.end).collect();
    assert_eq!(ends, [None, Some(RunEnd::Interrupted)]);
}

#[tokio::test]
async fn what_is_settled_stands_in_buckets_and_what_is_under_way_beside_them() {
    let store = Redis::new().await;
    let state = store.open().await;
    let mut plain = Plain::of(&store).await;
    let run = begin(&state).await;
    let jobs = enqueue_all(&state, &run, 0..400).await;
    assert_eq!(plain.keys("p:products:0:r").await.len(), 2, "the wide ones and their index");
    let settled: Vec<Settled> = jobs
        .iter()
        .map(|job| Settled { sink_id: Some(job.id.to_string()), ..job.settled(Outcome::Created) })
        .collect();
    state.settle(&products(), &settled).await.unwrap();
    // No bucket has two of so few, or hardly one.
    let buckets = plain.keys("p:products:0:r").await;
    assert!(buckets.len() > 390, "{} buckets", buckets.len());
    assert_eq!(plain.keys("p:products:0:").await, buckets, "nothing is left beside the buckets");
    for bucket in &buckets {
        assert_eq!(plain.ask::<String>(&["OBJECT", "ENCODING", bucket]).await, "listpack", "{bucket}");
    }
    // Under way again beside its bucket, where what was settled stays for whoever walks over all of them.
    let again = enqueue(&state, &run, 7, 2).await;
    assert_eq!(plain.keys("p:products:0:r").await.len(), buckets.len() + 2);
    assert_eq!(
        again.claim(&state).await,
        Claimed::Go { marks: 0, sink_id: Some("7".to_owned()), was_gone: false }
    );
    again.settle(&state, Outcome::Updated).await;
    assert_eq!(plain.keys("p:products:0:r").await, buckets);
}

#[tokio::test]
async fn values_too_wide_for_a_bucket_are_kept_all_the_same() {
    let store = Redis::new().await;
    let state = store.open().await;
    let run = begin(&state).await;
    let long: RecordKey = "k".repeat(200).parse().unwrap();
    let wide = Want { key: long.clone(), checksum: sum(1), image: None };
    let answer = state.want(&run, &[wide.clone(), want_of(2, 1)], false).await.unwrap();
    let settled = [(long, "1".to_owned(), answer[0]), (2.into(), "s".repeat(300), answer[1])].map(
        |(key, sink_id, answer)| Settled {
            key,
            sink_id: Some(sink_id),
            ..made(&run, 0, 1, answer).settled(Outcome::Created)
        },
    );
    state.settle(&products(), &settled).await.unwrap();
    let mut plain = Plain::of(&store).await;
    assert_eq!(plain.keys("p:products:0:").await, BTreeSet::from([plain.name("p:products:0:r")]));
    finish(&state, &run).await;
    let later = begin(&state).await;
    let answers = state.want(&later, &[wide, want_of(2, 1)], false).await.unwrap();
    assert_eq!(answers, [Wanted::Unchanged, Wanted::Unchanged]);
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_the_former_generation() {
    let store = Redis::new().await;
    let state = store.open().await;
    let run = begin(&state).await;
    for job in enqueue_all(&state, &run, 0..20).await {
        match job.id {
            0..5 => job.settle(&state, Outcome::Created).await,
            5..10 => job.bury(&state, "refused").await,
            _ => {}
        }
    }
    image::bring(&state, &run, 30, 1, Some(1)).await;
    let mut plain = Plain::of(&store).await;
    assert!(plain.keys("p:products:0:").await.len() > 10);
    // As if an earlier one had been broken off.
    let (garbage, left) = (plain.name("garbage"), plain.name("p:products:77:r1ffff"));
    plain.ask::<()>(&["SADD", &garbage, "products:77"]).await;
    plain.ask::<()>(&["HSET", &left, "1", "x"]).await;
    let reset = state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    for gone in ["p:products:0:", "p:products:77:", "garbage", "places:"] {
        assert_eq!(plain.keys(gone).await, BTreeSet::new(), "{gone}");
    }
    assert_eq!(counts(&state).await, Counts::default());
    assert_eq!(ledger(&state, run.id).await.outstanding(), 0);
    // A process that has not heard of it writes into the new one.
    enqueue(&state, &reset, 1, 1).await.settle(&store.open().await, Outcome::Created).await;
    assert_eq!(plain.keys("p:products:").await.len(), 2, "the runs and one bucket");
}

#[tokio::test]
async fn a_process_that_knew_the_former_generation_goes_on_in_the_new_one() {
    let store = Redis::new().await;
    let [producer, worker] = [store.open().await, store.open().await];
    let old = enqueue(&producer, &begin(&producer).await, 1, 1).await;
    assert_eq!(marks(&old.claim(&worker).await), 0);
    let reset = producer.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    let new = enqueue(&producer, &reset, 1, 1).await;
    old.settle(&worker, Outcome::Created).await;
    assert_eq!(marks(&new.claim(&worker).await), 0);
    new.settle(&worker, Outcome::Created).await;
    assert_eq!(counts(&producer).await, Counts { wanted: 1, applied: 1, ..Counts::default() });
    let mut plain = Plain::of(&store).await;
    assert_eq!(plain.keys("p:products:0:").await, BTreeSet::new());
}

#[tokio::test]
async fn bitmaps_go_with_the_runs_that_are_counted_to_their_end() {
    let store = Redis::new().await;
    let state = store.open().await;
    let mut plain = Plain::of(&store).await;
    for settle_first in [true, false] {
        let run = state.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
        let jobs = enqueue_all(&state, &run, 0..2).await;
        jobs[0].settle(&state, Outcome::Created).await;
        assert_eq!(plain.keys("places:").await.len(), 1);
        if settle_first {
            jobs[1].settle(&state, Outcome::Created).await;
            assert_eq!(finish(&state, &run).await.ledger.created, 2);
        } else {
            finish(&state, &run).await;
            assert_eq!(plain.keys("places:").await.len(), 1, "one job is still to come");
            jobs[1].settle(&state, Outcome::Created).await;
        }
        assert_eq!(plain.keys("places:").await.len(), 0);
        assert_eq!(ledger(&state, run.id).await.created, 2);
    }
    // Of a run that was left for another one, too.
    let left = begin(&state).await;
    let job = made(&left, 0, 2, want(&state, &left, 0, 2).await);
    begin(&state).await;
    job.settle(&state, Outcome::Updated).await;
    assert_eq!(plain.keys("places:").await.len(), 0);
    assert_eq!(state.run(left.id).await.unwrap().unwrap().settled, None, "it never ended");
}

#[tokio::test]
async fn history_keeps_a_thousand_runs_and_late_jobs_of_older_ones_are_applied_uncounted() {
    let store = Redis::new().await;
    let state = store.open().await;
    let first = begin(&state).await;
    let job = enqueue(&state, &first, 1, 1).await;
    let mut plain = Plain::of(&store).await;
    // A year of runs: copies of the first one.
    let last = first.id.0 + 998;
    for number in first.id.0 + 1..=last {
        let [number, from] = [number, first.id.0].map(|number| number.to_string());
        let [from, to] = [from, number.clone()].map(|number| plain.name(&format!("run:{number}")));
        plain.ask::<()>(&["COPY", &from, &to]).await;
        for order in ["runs", "p:products:runs"] {
            let order = plain.name(order);
            plain.ask::<()>(&["ZADD", &order, &number, &number]).await;
        }
    }
    let counters = plain.name("counters");
    plain.ask::<()>(&["HSET", &counters, "run", &last.to_string()]).await;
    begin(&state).await;
    assert!(state.run(first.id).await.unwrap().is_some());
    begin(&state).await;
    assert_eq!(state.runs(None, 5_000).await.unwrap().len(), 1_000);
    assert_eq!(state.runs(Some(&products()), 5_000).await.unwrap().len(), 1_000);
    assert_eq!(state.run(first.id).await.unwrap(), None);
    job.settle(&state, Outcome::Created).await;
    assert_eq!(counts(&state).await.applied, 1);
    assert_eq!(plain.keys("run:").await.len(), 1_000);
    assert_eq!(plain.keys("places:").await.len(), 0);
}
