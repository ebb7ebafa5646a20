//! Faults of the Redis store alone: lost and late commits, a server that is wiped, restarted, full, or not the master.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::fleet::Plain;
use super::*;

/// A store in a server of its own.
pub(super) fn store_in(server: &services::RedisServer) -> Redis {
    let settings = RedisSettings {
        url: server.url(),
        user: Some(services::USER.to_owned()),
        password: Some(services::PASSWORD.to_owned().into()),
        prefix: services::prefix(),
        timeout: Duration::from_secs(10),
    };
    Redis(settings)
}

/// The store with little patience, for calls that are to fail.
pub(super) async fn open_impatient(store: &Redis) -> State {
    let patience = Duration::from_millis(500);
    State::Redis(Arc::new(super::super::redis::RedisState::open_with(&store.0, patience).await.unwrap()))
}

/// Stands before a server and does, when it is told to, something to the next commit.
struct Thief {
    address: SocketAddr,
    watch: Arc<Watch>,
}

#[derive(Default)]
struct Watch {
    order: Mutex<Order>,
    /// The commit is in its hands.
    caught: Notify,
    /// The commit may go on.
    go: Notify,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Order {
    #[default]
    LetPass,
    /// Keeps the answer for itself and hangs up.
    Rob,
    /// Keeps the commit until it is told to let it go.
    Hold,
}

impl Thief {
    async fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let thief = Self { address: listener.local_addr().unwrap(), watch: Arc::default() };
        let watch = Arc::clone(&thief.watch);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&watch)));
            }
        });
        thief
    }

    /// A store of the shared server, and the same with a thief before it. The scripts are there: what is caught is a
    /// commit that would be carried out.
    async fn and_stores() -> (Self, State, State) {
        let store = Redis::new().await;
        let thief = Self::before(services::redis().addr()).await;
        let watched = Redis(RedisSettings { url: format!("redis://{}", thief.address), ..store.0.clone() });
        let (free, watched) = (store.open().await, watched.open().await);
        begin(&free).await;
        (thief, free, watched)
    }

    async fn catches(&self) {
        let caught = tokio::time::timeout(Duration::from_secs(20), self.watch.caught.notified());
        caught.await.expect("the call sent no commit");
    }

    /// The answer to the commit of this call is lost.
    async fn robs<T>(&self, call: impl Future<Output = Result<T, Failure>>) -> T {
        *self.watch.order.lock().unwrap() = Order::Rob;
        let (answer, ()) = tokio::join!(call, self.catches());
        answer.unwrap()
    }

    /// The commit of this call arrives only after something else has been done.
    async fn delays<T>(&self, call: impl Future<Output = T>, meanwhile: impl Future<Output = ()>) -> T {
        *self.watch.order.lock().unwrap() = Order::Hold;
        let meanwhile = async {
            self.catches().await;
            meanwhile.await;
            self.watch.go.notify_one();
        };
        tokio::join!(call, meanwhile).0
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, watch: Arc<Watch>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut robs = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                if asked[..read].windows(7).any(|word| word == b"EVALSHA") {
                    let order = std::mem::take(&mut *watch.order.lock().unwrap());
                    robs |= order == Order::Rob;
                    if order == Order::Hold {
                        watch.caught.notify_one();
                        watch.go.notified().await;
                    }
                }
                server.write_all(&asked[..read]).await.unwrap();
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if robs {
                    watch.caught.notify_one();
                    return;
                }
                client.write_all(&answered[..read]).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_done() {
    let (thief, _, state) = Thief::and_stores().await;
    let run = thief.robs(state.begin_run(&new_run())).await;
    assert_eq!(state.runs(None, 10).await.unwrap().len(), 2);

    let answers = thief.robs(state.want(&run, &[want_of(1, 1), want_of(2, 1)], false)).await;
    let jobs = [made(&run, 1, 1, answers[0]), made(&run, 2, 1, answers[1])];
    assert_eq!((jobs[0].place, jobs[1].place), (0, 1));
    assert_eq!(ledger(&state, run.id).await.enqueued, 2);

    let claims = jobs.map(|job| Claim { key: job.id.into(), version: job.version });
    let claimed = thief.robs(state.claim(&products(), &claims, &us())).await;
    assert_eq!((marks(&claimed[0]), marks(&claimed[1])), (0, 0));
    assert_eq!(marks(&jobs[1].claim(&state).await), 1, "marked once");

    thief.robs(state.settle(&products(), &[jobs[0].settled(Outcome::Created)])).await;
    thief.robs(state.bury(&[jobs[1].letter("refused")])).await;
    let page = Page { number: 1, position: "2".to_owned(), unchanged: 3, dead: 0 };
    thief.robs(state.advance(&run, &page)).await;
    let expected =
        Ledger { seen: 5, unchanged_at_source: 3, enqueued: 2, created: 1, dead: 1, ..Ledger::default() };
    assert_eq!(thief.robs(state.finish_run(&run, &RunEnd::Complete)).await.ledger, expected);
    assert_eq!(counts(&state).await, Counts { wanted: 2, applied: 1, dead: 1, ..Counts::default() });

    assert!(thief.robs(state.swap_memo("lease", None, Some("ours"))).await, "it is ours");
    assert!(!thief.robs(state.swap_memo("lease", None, Some("theirs"))).await);
}

#[tokio::test]
async fn a_commit_that_finds_a_record_changed_begins_anew() {
    let (thief, free, watched) = Thief::and_stores().await;
    let run = begin(&free).await;
    let job = enqueue(&free, &run, 1, 1).await;
    let claimed = thief.delays(job.claim(&watched), async {
        assert_eq!(marks(&job.claim(&free).await), 0);
    });
    assert_eq!(marks(&claimed.await), 1);
    // Of nothing, too: both are the first that hear of the record.
    let unknown = Made { id: 9, ..job };
    let claimed = thief.delays(unknown.claim(&watched), async {
        assert_eq!(marks(&unknown.claim(&free).await), 0);
    });
    assert_eq!(marks(&claimed.await), 1);
    let settled =
        thief.delays(async { watched.settle(&products(), &[job.settled(Outcome::Created)]).await }, async {
            enqueue(&free, &run, 1, 2).await;
        });
    settled.await.unwrap();
    assert_eq!(outstanding(&free).await, ["1"], "the newer values are still wanted");
    let other = enqueue(&free, &run, 2, 1).await;
    let letter = other.letter("refused");
    let buried = thief.delays(watched.bury(std::slice::from_ref(&letter)), async {
        let newer = enqueue(&free, &run, 2, 2).await;
        newer.bury(&free, "newer").await;
    });
    buried.await.unwrap();
    let letters = free.dead_letters(&products(), 10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.failure.message.as_str()).collect::<Vec<_>>(), ["newer"]);
}

#[tokio::test]
async fn a_commit_that_finds_its_pipeline_moved_begins_anew() {
    let (thief, free, watched) = Thief::and_stores().await;
    let run = begin(&free).await;
    let answers = thief.delays(async { enqueue(&watched, &run, 1, 1).await }, async {
        let other = enqueue(&free, &run, 2, 1).await;
        assert_eq!((other.version.sequence, other.place), (1, 0));
    });
    let job = answers.await;
    assert_eq!((job.version.sequence, job.place), (2, 1), "no version and no place is given twice");

    let wanted = [want_of(3, 1)];
    let taken_over = thief.delays(watched.want(&run, &wanted, false), async {
        free.resume_run(&products()).await.unwrap().unwrap();
    });
    assert_eq!(taken_over.await.unwrap_err().reason, Reason::Locked);

    let claim = [Claim { key: 1.into(), version: job.version }];
    let claimed = thief.delays(async { watched.claim(&products(), &claim, &us()).await }, async {
        free.begin_run(&NewRun { reset: true, ..new_run() }).await.unwrap();
    });
    assert_eq!(claimed.await.unwrap(), [Claimed::Superseded], "it is about another sink");
    assert_eq!(counts(&free).await, Counts::default());
}

#[tokio::test]
async fn a_run_that_ends_while_another_begins_does_not_move_the_cursor() {
    let (thief, free, watched) = Thief::and_stores().await;
    let run = begin(&free).await;
    let summary = thief.delays(watched.finish_run(&run, &RunEnd::Complete), async {
        begin(&free).await;
    });
    assert_eq!(summary.await.unwrap().end, Some(RunEnd::Interrupted));
    assert_eq!(free.pipeline(&products()).await.unwrap().unwrap().cursor, None);
    let run = free.resume_run(&products()).await.unwrap().unwrap();
    let page = Page { number: 1, position: "2".to_owned(), unchanged: 3, dead: 0 };
    let advanced = thief.delays(watched.advance(&run, &page), async {
        free.advance(&run, &page).await.unwrap();
    });
    advanced.await.unwrap();
    assert_eq!(ledger(&free, run.id).await.unchanged_at_source, 3, "a page counts once");
    let begun = thief.delays(async { begin(&watched).await }, async {
        begin(&free).await;
    });
    let begun = begun.await;
    assert_eq!(
        free.runs(None, 1).await.unwrap()[0].id,
        begun.id,
        "whoever began last has the highest number"
    );
    assert_eq!(free.pipeline(&products()).await.unwrap().unwrap().open.unwrap().id, begun.id);
}

#[tokio::test]
async fn a_wiped_state_takes_the_run_over_and_workers_go_on() {
    let server = services::RedisServer::start();
    let store = store_in(&server);
    let state = store.open().await;
    let run = begin(&state).await;
    let jobs = [enqueue(&state, &run, 1, 1).await, enqueue(&state, &run, 2, 1).await];
    jobs[0].claim(&state).await;
    Plain::of(&store).await.ask::<()>(&["FLUSHALL"]).await;

    let page = Page { number: 1, position: "2".to_owned(), unchanged: 0, dead: 0 };
    for failure in [
        state.want(&run, &[want_of(3, 1)], false).await.unwrap_err(),
        state.advance(&run, &page).await.unwrap_err(),
        state.finish_run(&run, &RunEnd::Complete).await.unwrap_err(),
    ] {
        assert_eq!((failure.class, failure.reason), (Class::Systemic, Reason::Locked), "{failure:#}");
    }
    assert_eq!(state.resume_run(&products()).await.unwrap(), None);
    assert_eq!(state.pipeline(&products()).await.unwrap(), None);

    jobs[0].settle(&state, Outcome::Created).await;
    assert_eq!(marks(&jobs[1].claim(&state).await), 0);
    state.release(&products(), &[2.into()], &us(), true).await.unwrap();
    assert_eq!(counts(&state).await, Counts { wanted: 1, applied: 1, ..Counts::default() });

    let next = begin(&state).await;
    assert!(next.id > run.id && next.epoch > run.epoch, "{next:?} after {run:?}");
    enqueue(&state, &next, 5, 1).await;
    // What was under way all the time is not counted in a run that has the same number of places.
    jobs[1].settle(&state, Outcome::Created).await;
    let expected = Ledger { seen: 1, enqueued: 1, ..Ledger::default() };
    assert_eq!(ledger(&state, next.id).await, expected);
}
