//! What holds in any order of calls, with crashes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::image::{ImageJob, due, failed, image, image_jobs};
use super::*;

/// A record in the source: its id, its values, and the number of its image.
type Row = (u64, u8, Option<u8>);

#[derive(Debug, Clone)]
enum Step {
    /// Records with these values and images are read from the source.
    Want {
        lost: bool,
        rows: Vec<Row>,
    },
    /// A worker takes the job with this number, counted round.
    Claim(usize),
    /// A job ends, perhaps not for the first time.
    Settle(usize, Outcome),
    Bury(usize),
    Release(u64),
    Withdraw(u64),
    /// Image jobs are made of all that are due.
    Feed,
    ClaimImage(usize),
    /// An image job ends, perhaps not for the first time; it writes, or finds that it need not.
    SettleImage(usize, bool),
    BuryImage(usize),
    RetryImage(usize),
    ReleaseImage(u64),
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
        4 => (any::<bool>(), vec((0..6_u64, 0..3_u8, proptest::option::of(0..3_u8)), 1..4)).prop_map(|(lost, rows)| Step::Want { lost, rows }),
        3 => any::<usize>().prop_map(Step::Claim),
        5 => (any::<usize>(), outcome).prop_map(|(job, outcome)| Step::Settle(job, outcome)),
        2 => any::<usize>().prop_map(Step::Bury),
        1 => (0..6_u64).prop_map(Step::Release),
        1 => (0..6_u64).prop_map(Step::Withdraw),
        3 => Just(Step::Feed),
        2 => any::<usize>().prop_map(Step::ClaimImage),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(job, writes)| Step::SettleImage(job, writes)),
        2 => any::<usize>().prop_map(Step::BuryImage),
        1 => any::<usize>().prop_map(Step::RetryImage),
        1 => (0..6_u64).prop_map(Step::ReleaseImage),
        1 => Just(Step::Crash),
        1 => Just(Step::NextRun),
    ]
}

/// A producer with its workers, and every job that it made.
struct World<F> {
    store: F,
    state: State,
    run: Run,
    jobs: Vec<Made>,
    image_jobs: Vec<ImageJob>,
    /// Values and image of each record at the source.
    source: [(u8, Option<u8>); 6],
    /// The image of each record in the sink.
    sink: [Option<ImageReference>; 6],
}

impl<F: Fixture> World<F> {
    async fn new() -> Self {
        let store = F::new().await;
        let state = store.open().await;
        let run = begin(&state).await;
        Self {
            store,
            state,
            run,
            jobs: Vec::new(),
            image_jobs: Vec::new(),
            source: [(0, None); 6],
            sink: [const { None }; 6],
        }
    }

    async fn want(&mut self, rows: &[Row], lost: bool) {
        let wants: Vec<Want> = rows
            .iter()
            .map(|(id, content, number)| Want { image: number.map(image), ..want_of(*id, *content) })
            .collect();
        let answers = self.state.want(&self.run, &wants, lost).await.unwrap();
        for ((id, content, image), answer) in rows.iter().copied().zip(answers) {
            self.source[usize::try_from(id).unwrap()] = (content, image);
            if matches!(answer, Wanted::Enqueue { .. }) {
                self.jobs.push(Made { image, ..made(&self.run, id, content, answer) });
            }
        }
    }

    /// An honest worker: it writes, or says that the sink has the image only where it has.
    async fn settle_image(&mut self, job: &ImageJob, writes: bool) {
        let id: usize = job.0.key.as_str().parse().unwrap();
        let outcome = match (writes, self.sink[id] == job.0.image) {
            (true, _) => Outcome::Updated,
            (false, true) => Outcome::Unchanged,
            (false, false) => Outcome::Superseded,
        };
        if writes {
            self.sink[id].clone_from(&job.0.image);
        }
        job.settle(&self.state, outcome).await;
    }

    fn job(&self, number: usize) -> Option<Made> {
        number.checked_rem(self.jobs.len()).map(|number| self.jobs[number])
    }

    fn image_job(&self, number: usize) -> Option<ImageJob> {
        number.checked_rem(self.image_jobs.len()).map(|number| self.image_jobs[number].clone())
    }

    async fn take_image_step(&mut self, step: &Step) {
        match step {
            Step::ClaimImage(number) => {
                if let Some(job) = self.image_job(*number) {
                    job.claim(&self.state).await;
                }
            }
            Step::SettleImage(number, writes) => {
                if let Some(job) = self.image_job(*number) {
                    self.settle_image(&job, *writes).await;
                }
            }
            Step::BuryImage(number) => {
                if let Some(job) = self.image_job(*number) {
                    job.bury(&self.state).await;
                }
            }
            Step::RetryImage(number) => {
                if let Some(job) = self.image_job(*number) {
                    let failure = failed(Class::Transient, "no answer");
                    job.retry(&self.state, due(), &failure).await;
                }
            }
            Step::ReleaseImage(id) => {
                let keys = [(*id).into()];
                self.state.release_images(&products(), &keys, &us()).await.unwrap();
            }
            _ => self.image_jobs.extend(image_jobs(&self.state).await),
        }
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
            Step::Release(id) => {
                self.state.release(&products(), &[(*id).into()], &us(), false).await.unwrap();
            }
            Step::Withdraw(id) => {
                self.state.withdraw(&products(), &[(*id).into()]).await.unwrap();
            }
            Step::Feed
            | Step::ClaimImage(_)
            | Step::SettleImage(..)
            | Step::BuryImage(_)
            | Step::RetryImage(_)
            | Step::ReleaseImage(_) => self.take_image_step(step).await,
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
        assert_eq!(counts.outstanding, u64::try_from(outstanding(&self.state).await.len()).unwrap());
        let letters = self.state.dead_letters(&products(), 100).await.unwrap();
        let of_kind = |kind: JobKind| {
            let letters = letters.iter().filter(|letter| letter.job.kind == kind);
            u64::try_from(letters.count()).unwrap()
        };
        assert_eq!(counts.dead, of_kind(JobKind::Record));
        assert_eq!(counts.images.dead, of_kind(JobKind::Image));
        let due = image_jobs(&self.state).await.len();
        assert_eq!(counts.images.outstanding, u64::try_from(due).unwrap());
        assert!(counts.images.outstanding <= counts.images.wanted && counts.images.wanted <= counts.applied);
        assert!(counts.applied <= counts.wanted && counts.outstanding <= counts.wanted);
        for run in self.state.runs(None, 100).await.unwrap() {
            let Ledger { enqueued, created, updated, unchanged, gone, superseded, dead, .. } = run.ledger;
            let ended = created + updated + unchanged + gone + superseded + dead;
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
        let rows: Vec<Row> =
            (0..).zip(self.source).map(|(id, (content, image))| (id, content, image)).collect();
        self.want(&rows, true).await;
        for job in &self.jobs[first..] {
            assert!(matches!(job.claim(&self.state).await, Claimed::Go { .. }));
            job.settle(&self.state, Outcome::Updated).await;
        }
        for job in image_jobs(&self.state).await {
            assert!(matches!(job.claim(&self.state).await, ClaimedImage::Go { .. }));
            self.settle_image(&job, true).await;
        }
        assert_eq!(image_jobs(&self.state).await.len(), 0);
        self.check_images().await;
        finish(&self.state, &self.run).await;
        assert_eq!(outstanding(&self.state).await, [""; 0]);
        for run in self.state.runs(None, 100).await.unwrap() {
            assert_eq!(run.ledger.outstanding(), 0, "run {} does not balance: {:?}", run.id, run.ledger);
        }
    }
}

impl<F: Fixture> World<F> {
    /// Each record has the image of its source, unless it or its image is dead.
    async fn check_images(&self) {
        let letters = self.state.dead_letters(&products(), 100).await.unwrap();
        for (id, (_, number)) in (0_u64..).zip(self.source) {
            let key = RecordKey::from(id);
            if number.is_none() || letters.iter().any(|letter| letter.job.key == key) {
                continue;
            }
            let in_sink = &self.sink[usize::try_from(id).unwrap()];
            assert_eq!(*in_sink, number.map(image), "image of record {id}");
        }
    }
}

/// Runs a property over so many random inputs; what fails is shrunk and told.
pub(super) fn check<T: std::fmt::Debug, R: Future<Output = ()>>(
    cases: u32,
    strategy: impl Strategy<Value = T>,
    property: impl Fn(T) -> R,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // No file of seeds: an input that failed becomes a test in words.
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&strategy, |input| {
        runtime.block_on(property(input));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

pub(super) fn ledgers_and_totals_balance_whatever_happens<F: Fixture>() {
    check(F::CASES, vec(step(), 1..60), |steps| async move {
        let mut world = World::<F>::new().await;
        for step in &steps {
            world.take(step).await;
            world.check().await;
        }
        world.calm_down().await;
    });
}

pub(super) fn jobs_of_two_epochs_in_any_order_never_take_applied_back<F: Fixture>() {
    check(F::CASES, vec((0..8_usize, any::<bool>()), 1..40), |order| async move {
        let store = F::new().await;
        let state = store.open().await;
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
