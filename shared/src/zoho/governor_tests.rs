//! Several processes over one state: each governor is one.

use super::*;
use crate::zoho::SimulatedTime;
use crate::zoho::client_tests::config;

const NAME: &str = "https://zoho.example#2006";

fn time() -> Arc<SimulatedTime> {
    Arc::new(SimulatedTime::new("2026-11-26T12:00:00Z".parse().unwrap(), |_| ()))
}

fn process(state: &State, time: &Arc<SimulatedTime>) -> Arc<Governor> {
    let clock = Arc::new(Clock::simulated(Arc::clone(time)));
    Arc::new(Governor::new(state.clone(), NAME, &config("https://zoho.example"), clock))
}

fn spent(reset: u64) -> Quota {
    let now = Timestamp::UNIX_EPOCH;
    Quota { limit: 5_000, remaining: 399, resets_at: now + Duration::from_secs(reset), told_at: now }
}

#[tokio::test]
async fn processes_share_the_minute() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let start = time.now();
    let calls = (0..10).map(|_| {
        let process = process(&state, &time);
        tokio::spawn(async move {
            for _ in 0..16 {
                let admission = process.admit(CallClass::Backfill).await.unwrap();
                process.end(admission, None, Told::Well).await;
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let took = time.now().duration_since(start).as_secs();
    assert!((61..=70).contains(&took), "160 calls of 80 a minute took {took} s");
}

#[tokio::test]
async fn what_one_process_hears_holds_for_all() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let [one, other] = [process(&state, &time), process(&state, &time)];
    let admission = one.admit(CallClass::List).await.unwrap();
    one.end(admission, Some(spent(3_600)), Told::Well).await;
    let failure = other.admit(CallClass::Backfill).await.unwrap_err();
    assert_eq!(failure.class, Class::Throttled);
    assert!(failure.to_string().contains("reserve"), "{failure}");
    let admission = other.admit(CallClass::List).await.unwrap();
    other.end(admission, None, Told::Minute(Duration::from_hours(1))).await;
    let failure = one.admit(CallClass::List).await.unwrap_err();
    assert!(failure.retry_after.unwrap() > Duration::from_mins(59), "{failure}");
    time.advance_to(time.now() + Duration::from_secs(3_603));
    drop(one.admit(CallClass::Backfill).await.unwrap());
    assert_eq!(one.limits().day.unwrap().limit, 5_000);
}

#[tokio::test]
async fn nobody_is_refused_by_what_another_process_knows_better_by_now() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let [one, other] = [process(&state, &time), process(&state, &time)];
    let admission = one.admit(CallClass::List).await.unwrap();
    one.end(admission, Some(spent(3_600)), Told::Well).await;
    // The plan was made larger, and the other one hears of it.
    let admission = other.admit(CallClass::List).await.unwrap();
    other.end(admission, Some(Quota { limit: 10_000, remaining: 5_399, ..spent(3_600) }), Told::Well).await;
    drop(one.admit(CallClass::Backfill).await.unwrap());
}

#[tokio::test]
async fn a_call_that_is_broken_off_frees_its_place() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let process = process(&state, &time);
    let mut admissions = Vec::new();
    for _ in 0..5 {
        admissions.push(process.admit(CallClass::List).await.unwrap());
    }
    let waiting = tokio::spawn({
        let process = Arc::clone(&process);
        async move { process.admit(CallClass::List).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    admissions.pop();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_end_of_a_call_is_noted_by_the_next_one_that_is_on_its_way() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let process = process(&state, &time);
    let noted = async || -> Budget {
        serde_json::from_str(&state.memo(&memo_name(NAME)).await.unwrap().unwrap()).unwrap()
    };
    let mut admissions = Vec::new();
    for _ in 0..5 {
        admissions.push(process.admit(CallClass::List).await.unwrap());
    }
    let full = noted().await;
    let line = process.line.lock().await;
    let mut next = std::pin::pin!(process.admit(CallClass::List));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(next.as_mut().poll(context)));
    assert!(polled.await.is_pending(), "it stands in line");
    let ended = process.end(admissions.pop().unwrap(), Some(spent(3_600)), Told::Well);
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("it waits for nobody");
    assert_eq!(noted().await, full, "nothing is written yet");
    drop(line);
    // The fifth place is free, and the day is known.
    drop(next.await.unwrap());
    assert_eq!(process.limits().day.unwrap().limit, 5_000);
    // Nobody is on the way: it is written at once, and another process finds the places free.
    for admission in admissions {
        process.end(admission, None, Told::Well).await;
    }
    let other = self::process(&state, &time);
    for _ in 0..5 {
        tokio::time::timeout(Duration::from_secs(10), other.admit(CallClass::List)).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_state_that_is_wiped_is_told_again_by_whoever_knows() {
    let (state, time) = (State::open_memory().await.unwrap(), time());
    let process = process(&state, &time);
    let admission = process.admit(CallClass::List).await.unwrap();
    process.end(admission, None, Told::Minute(Duration::from_hours(1))).await;
    state.set_memo(&memo_name(NAME), None).await.unwrap();
    process.admit(CallClass::List).await.unwrap_err();
    state.set_memo(&memo_name(NAME), Some("no budget of ours")).await.unwrap();
    process.admit(CallClass::List).await.unwrap_err();
}
