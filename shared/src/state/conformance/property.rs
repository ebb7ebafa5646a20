//! What holds in any order of calls, over the file store with crashes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// Records with these values are read from the source.
    Want {
        lost: bool,
        rows: Vec<(u64, u8)>,
    },
    /// A worker takes the job with this number, counted round.
    Claim(usize),
    /// A job ends, perhaps not for the first time.
    Settle(usize, Outcome),
    Bury(usize),
    Release(u64),
    Withdraw(u64),
    /// The process dies and comes back; it goes on with the open run.
    Crash,
    /// The run ends and another begins.
    NextRun,
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(Outcome::Created),
        Just(Outcome::Updated),
        Just(Outcome::Unchanged),
        Just(Outcome::Superseded)
    ];
    prop_oneof![
        4 => (any::<bool>(), vec((0..6_u64, 0..3_u8), 1..4)).prop_map(|(lost, rows)| Step::Want { lost, rows }),
        3 => any::<usize>().prop_map(Step::Claim),
        5 => (any::<usize>(), outcome).prop_map(|(job, outcome)| Step::Settle(job, outcome)),
        2 => any::<usize>().prop_map(Step::Bury),
        1 => (0..6_u64).prop_map(Step::Release),
        1 => (0..6_u64).prop_map(Step::Withdraw),
        1 => Just(Step::Crash),
        1 => Just(Step::NextRun),
    ]
}

/// A producer with its workers, and every job that it made.
struct World {
    store: SqliteFile,
    state: State,
    run: Run,
    jobs: Vec<Made>,
    /// Values of each record at the source.
    source: [u8; 6],
}

impl World {
    async fn new() -> Self {
        let store = SqliteFile::new().await;
        let state = store.open().await;
        let run = begin(&state).await;
        Self {
            store,
            state,
            run,
            jobs: Vec::new(),
            source: [0; 6],
        }
    }

    async fn want(&mut self, rows: &[(u64, u8)], lost: bool) {
        let wants: Vec<Want> = rows.iter().map(|(id, content)| want_of(*id, *content)).collect();
        let answers = self.state.want(&self.run, &wants, lost).await.unwrap();
        for ((id, content), answer) in rows.iter().zip(answers) {
            self.source[usize::try_from(*id).unwrap()] = *content;
            if matches!(answer, Wanted::Enqueue { .. }) {
                self.jobs.push(made(&self.run, *id, *content, answer));
            }
        }
    }

    fn job(&self, number: usize) -> Option<Made> {
        number
            .checked_rem(self.jobs.len())
            .map(|number| self.jobs[number])
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Want { lost, rows } => self.want(rows, *lost).await,
            Step::Claim(number) => {
                if let Some(job) = self.job(*number) {
                    job.claim(&self.state).await;
                }
            }
            Step::Settle(number, outcome) => {
                if let Some(job) = self.job(*number) {
                    job.settle(&self.state, *outcome).await;
                }
            }
            Step::Bury(number) => {
                if let Some(job) = self.job(*number) {
                    job.bury(&self.state, "refused").await;
                }
            }
            Step::Release(id) => self.state.release(&products(), &[(*id).into()]).await.unwrap(),
            Step::Withdraw(id) => self.state.withdraw(&products(), &[(*id).into()]).await.unwrap(),
            Step::Crash => {
                self.state = self.store.open().await;
                self.run = self.state.resume_run(&products()).await.unwrap().unwrap();
            }
            Step::NextRun => {
                finish(&self.state, &self.run).await;
                self.run = begin(&self.state).await;
            }
        }
    }

    /// What must hold after every step.
    async fn check(&self) {
        let counts = counts(&self.state).await;
        assert_eq!(
            counts.outstanding,
            u64::try_from(outstanding(&self.state).await.len()).unwrap()
        );
        let letters = self.state.dead_letters(&products(), 100).await.unwrap();
        assert_eq!(counts.dead, u64::try_from(letters.len()).unwrap());
        assert!(counts.applied <= counts.wanted && counts.outstanding <= counts.wanted);
        for run in self.state.runs(None, 100).await.unwrap() {
            let Ledger {
                enqueued,
                created,
                updated,
                unchanged,
                superseded,
                dead,
                ..
            } = run.ledger;
            let ended = created + updated + unchanged + superseded + dead;
            assert!(ended <= enqueued, "{:?}", run.ledger);
            assert_eq!(
                run.ledger.seen,
                enqueued + run.ledger.unchanged_at_source + run.ledger.dead_at_source
            );
        }
    }

    /// Everything is read once more and worked on to its end.
    async fn calm_down(&mut self) {
        self.take(&Step::NextRun).await;
        let first = self.jobs.len();
        let rows: Vec<(u64, u8)> = (0..).zip(self.source).collect();
        self.want(&rows, true).await;
        for job in &self.jobs[first..] {
            assert!(matches!(job.claim(&self.state).await, Claimed::Go { .. }));
            job.settle(&self.state, Outcome::Updated).await;
        }
        finish(&self.state, &self.run).await;
        assert_eq!(outstanding(&self.state).await, [""; 0]);
        for run in self.state.runs(None, 100).await.unwrap() {
            assert_eq!(
                run.ledger.outstanding(),
                0,
                "run {} does not balance: {:?}",
                run.id,
                run.ledger
            );
        }
    }
}

fn in_runtime(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn ledgers_and_totals_balance_whatever_happens(steps in vec(step(), 1..60)) {
        in_runtime(async {
            let mut world = World::new().await;
            for step in &steps {
                world.take(step).await;
                world.check().await;
            }
            world.calm_down().await;
        });
    }

    #[test]
    fn jobs_of_two_epochs_in_any_order_never_take_applied_back(
        order in vec((0..8_usize, any::<bool>()), 1..40),
    ) {
        in_runtime(async {
            let state = State::open_memory().await.unwrap();
            let mut jobs = Vec::new();
            for content in 0..2 {
                let run = begin(&state).await;
                for id in 0..4 {
                    jobs.push(enqueue(&state, &run, id, content).await);
                }
            }
            let mut applied = [None; 4];
            for (number, wrote) in order {
                let job = jobs[number];
                job.settle(&state, if wrote { Outcome::Updated } else { Outcome::Unchanged }).await;
                let newest = &mut applied[usize::try_from(job.id).unwrap()];
                *newest = (*newest).max(Some(job.version));
                for job in &jobs {
                    let newest = applied[usize::try_from(job.id).unwrap()];
                    let older = newest.is_some_and(|newest| newest >= job.version);
                    let goes_on = matches!(job.claim(&state).await, Claimed::Go { .. });
                    assert!(!(older && goes_on), "{job:?} goes on, {newest:?} is applied");
                }
            }
        });
    }
}
