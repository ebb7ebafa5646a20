//! The newest stays, whoever dies and whatever comes late: workers that die, are paused or lose their answers, over a
//! sink that does what it was told long after nobody waits for it any more.

use proptest::collection::vec;
use proptest::prelude::*;

use super::property::check;
use super::*;

const RECORDS: usize = 3;

/// How long a call may be late, by the store's clock; here all of them come in before doubts are looked at.
const LATE: Duration = Duration::from_millis(1);

#[derive(Debug, Clone)]
enum Step {
    /// A record gets these values in the source, or goes from it.
    Change(usize, u8),
    /// A worker takes the job with this number and brings it to its end.
    Work(usize),
    /// A worker takes it and dies; the sink does what it was told, later.
    Die(usize),
    /// A worker takes it, and the answer does not come.
    TimeOut(usize),
    /// A worker takes it, and shows that it is alive.
    Begin(usize),
    /// The lease of such a worker runs out while it is asleep.
    Lapse(usize),
    /// Such a worker writes and settles, in time or not.
    End(usize),
    /// The sink does what it was told long ago.
    Land(usize),
    Mature,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..RECORDS, 0..4_u8).prop_map(|(id, content)| Step::Change(id, content)),
        2 => (0..RECORDS).prop_map(|id| Step::Change(id, GONE)),
        5 => any::<usize>().prop_map(Step::Work),
        3 => any::<usize>().prop_map(Step::Die),
        2 => any::<usize>().prop_map(Step::TimeOut),
        2 => any::<usize>().prop_map(Step::Begin),
        1 => any::<usize>().prop_map(Step::Lapse),
        2 => any::<usize>().prop_map(Step::End),
        3 => any::<usize>().prop_map(Step::Land),
        1 => Just(Step::Mature),
    ]
}

/// A job that its worker may work on, and whether the record is to be brought back.
#[derive(Debug, Clone)]
struct Taken {
    job: Made,
    was_gone: bool,
}

/// A job in the hand of a worker that shows that it is alive.
#[derive(Debug, Clone)]
struct InHand {
    taken: Taken,
    worker: Claimant,
}

/// A record in the sink. Only who is told to brings an archived one back.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shown {
    content: u8,
    archived: bool,
}

/// A source, a sink, and what is between them.
struct World {
    state: State,
    run: Run,
    source: [Option<u8>; RECORDS],
    sink: [Option<Shown>; RECORDS],
    /// Jobs that were not acked.
    queue: Vec<Made>,
    in_hand: Vec<InHand>,
    /// Calls whose work is still to come.
    late: Vec<Taken>,
    workers: u32,
}

impl World {
    async fn new(state: State) -> Self {
        let run = begin(&state).await;
        Self {
            state,
            run,
            source: [None; RECORDS],
            sink: [None; RECORDS],
            queue: Vec::new(),
            in_hand: Vec::new(),
            late: Vec::new(),
            workers: 0,
        }
    }

    fn new_worker(&mut self) -> Claimant {
        self.workers += 1;
        claimant(&format!("worker-{}", self.workers), LATE)
    }

    async fn change(&mut self, id: usize, content: u8, lost: bool) {
        self.source[id] = Some(content);
        let id = u64::try_from(id).unwrap();
        let answer = self.state.want(&self.run, &[want_of(id, content)], lost).await.unwrap()[0];
        if matches!(answer, Wanted::Enqueue { .. }) {
            self.queue.push(made(&self.run, id, content, answer));
        }
    }

    fn write(&mut self, taken: &Taken) -> Outcome {
        let Made { id, content, .. } = taken.job;
        let record = &mut self.sink[usize::try_from(id).unwrap()];
        let before = *record;
        *record = match before {
            None if content == GONE => None,
            None => Some(Shown { content, archived: false }),
            Some(shown) if content == GONE => Some(Shown { archived: true, ..shown }),
            Some(shown) => Some(Shown { content, archived: shown.archived && !taken.was_gone }),
        };
        match before {
            same if same == *record => Outcome::Unchanged,
            None => Outcome::Created,
            Some(_) if content == GONE => Outcome::Gone,
            Some(_) => Outcome::Updated,
        }
    }

    fn is_in_step(&self) -> bool {
        self.source.iter().zip(&self.sink).all(|(source, sink)| match source {
            Some(GONE) => sink.is_none_or(|shown| shown.archived),
            source => *sink == source.map(|content| Shown { content, archived: false }),
        })
    }

    /// Claims a job of the queue; what needs no work is settled and acked. `false`: it is not to be worked on now.
    async fn claim(&mut self, number: usize, worker: &Claimant) -> Option<Taken> {
        let number = number.checked_rem(self.queue.len())?;
        let job = self.queue[number];
        let outcome = match job.claim_as(&self.state, worker).await {
            Claimed::Go { was_gone, .. } => return Some(Taken { job, was_gone }),
            Claimed::Held => return None,
            Claimed::Superseded => Outcome::Superseded,
            Claimed::Applied => Outcome::Unchanged,
            Claimed::Suspect { .. } => panic!("{job:?} is alone"),
        };
        job.settle(&self.state, outcome).await;
        self.queue.remove(number);
        None
    }

    /// Writes, settles and acks.
    async fn end(&mut self, taken: &Taken, worker: &Claimant) {
        let outcome = self.write(taken);
        let job = taken.job;
        let settled = Settled { worker: worker.worker.clone(), ..job.settled(outcome) };
        self.state.settle(&products(), &[settled]).await.unwrap();
        self.queue.retain(|queued| queued.version != job.version);
    }

    fn land_all(&mut self) {
        for job in std::mem::take(&mut self.late) {
            self.write(&job);
        }
    }

    async fn take(&mut self, step: &Step) {
        match *step {
            Step::Change(id, content) => self.change(id, content, false).await,
            Step::Work(number) => {
                let worker = self.new_worker();
                if let Some(job) = self.claim(number, &worker).await {
                    self.end(&job, &worker).await;
                }
            }
            Step::Die(number) => {
                let worker = self.new_worker();
                let job = self.claim(number, &worker).await;
                self.late.extend(job);
            }
            Step::TimeOut(number) => {
                let worker = self.new_worker();
                if let Some(job) = self.claim(number, &worker).await {
                    let key = job.job.id.into();
                    self.late.push(job);
                    self.state.release(&products(), &[key], &worker, true).await.unwrap();
                }
            }
            Step::Begin(number) => {
                let worker = self.new_worker();
                show(&self.state, worker.worker.as_str(), FAR_OFF).await;
                if let Some(taken) = self.claim(number, &worker).await {
                    self.in_hand.push(InHand { taken, worker });
                }
            }
            Step::Lapse(number) => {
                if let Some(number) = number.checked_rem(self.in_hand.len()) {
                    show(&self.state, self.in_hand[number].worker.worker.as_str(), PAST).await;
                }
            }
            Step::End(number) => {
                if let Some(number) = number.checked_rem(self.in_hand.len()) {
                    let InHand { taken, worker } = self.in_hand.remove(number);
                    self.end(&taken, &worker).await;
                }
            }
            Step::Land(number) => {
                if let Some(number) = number.checked_rem(self.late.len()) {
                    let job = self.late.remove(number);
                    self.write(&job);
                }
            }
            Step::Mature => {
                self.land_all();
                self.state.mature(&products()).await.unwrap();
            }
        }
    }

    /// Nobody dies any more: what is in the queue and in hand comes to its end, late calls come in, doubts are looked at,
    /// and what is outstanding is read again.
    async fn calm_down(&mut self) {
        self.land_all();
        while !self.in_hand.is_empty() {
            self.take(&Step::End(0)).await;
        }
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        loop {
            while !self.queue.is_empty() {
                assert!(std::time::Instant::now() < deadline, "nobody can take {:?}", self.queue);
                self.take(&Step::Work(0)).await;
            }
            if self.is_in_step() && outstanding(&self.state).await.is_empty() {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "the sink has {:?} for good, the source {:?}",
                self.sink,
                self.source
            );
            self.state.mature(&products()).await.unwrap();
            for key in outstanding(&self.state).await {
                let id: usize = key.parse().unwrap();
                self.change(id, self.source[id].unwrap(), true).await;
            }
        }
    }
}

/// Every late call comes in before its doubt is looked at, and no newer version is under way then: whatever it went
/// over is found.
pub(super) fn the_newest_stays_whoever_dies_and_whatever_comes_late<F: Fixture>() {
    check(F::CASES, vec(step(), 1..40), |steps| async move {
        let store = F::new().await;
        let mut world = World::new(store.open().await).await;
        for step in &steps {
            world.take(step).await;
        }
        world.calm_down().await;
    });
}
