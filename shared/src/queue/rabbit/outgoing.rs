//! What is to be published and was not yet, by route: a full queue makes its own jobs wait and no others.
//!
//! Nothing is sent that there is no room for as far as we know. Room is counted down with each job that is sent and
//! looked up when it is used up; so a queue is filled to its capacity, give or take what several publishers have on
//! their way. The broker's own limit lies above that, since it would refuse jobs that come back from a retry tier too,
//! and offer them again only after minutes.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// The first wait after a queue was found full, and the longest.
const WAIT_MIN: Duration = Duration::from_millis(50);
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Where a job goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub(super) exchange: String,
    pub(super) key: String,
    /// The queue that it ends in.
    pub(super) queue: String,
    /// Jobs that are put into it.
    pub(super) capacity: u64,
}

/// A job on its way to the broker.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) route: Arc<Route>,
    pub(super) payload: Arc<[u8]>,
    /// Sent when the broker has it; dropped when the queue was closed before.
    pub(super) stored: oneshot::Sender<()>,
    /// Of no use to anybody once nobody waits for it.
    pub(super) is_awaited: bool,
    /// Its share of the route's window.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Parcel {
    fn is_abandoned(&self) -> bool {
        self.is_awaited && self.stored.is_closed()
    }
}

/// Parcels that wait, by route and in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    routes: HashMap<Arc<Route>, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    /// Sent and not answered.
    in_flight: u64,
    /// How many more may be sent.
    room: u64,
    /// It was full, and nothing was stored since.
    full: Option<Full>,
}

#[derive(Debug)]
struct Full {
    wait: Duration,
    until: Instant,
}

impl Outgoing {
    /// A parcel that comes last.
    pub(super) fn add(&mut self, parcel: Parcel) {
        self.waiting(&parcel.route).parcels.push_back(parcel);
    }

    /// Parcels that were sent and have to be sent again, in the order in which they were: they come first.
    pub(super) fn put_back(&mut self, parcels: Vec<Parcel>) {
        for parcel in parcels.into_iter().rev() {
            let waiting = self.waiting(&parcel.route);
            waiting.in_flight = waiting.in_flight.saturating_sub(1);
            waiting.parcels.push_front(parcel);
        }
    }

    /// All that may be sent now, counted as sent.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for waiting in self.routes.values_mut() {
            while let Some(parcel) = waiting.next(now) {
                waiting.in_flight += 1;
                waiting.room -= 1;
                parcels.push(parcel);
            }
        }
        parcels
    }

    /// The broker has one of a route.
    pub(super) fn stored(&mut self, route: &Arc<Route>) {
        let waiting = self.waiting(route);
        waiting.in_flight = waiting.in_flight.saturating_sub(1);
        waiting.full = None;
    }

    /// The broker did not take one of a route.
    pub(super) fn refused(&mut self, route: &Arc<Route>, now: Instant) {
        let waiting = self.waiting(route);
        waiting.room = 0;
        // Others of the same burst say nothing new.
        if waiting.full.as_ref().is_none_or(|full| full.until <= now) {
            let before = waiting.full.as_ref().map_or(Duration::ZERO, |full| full.wait);
            let wait = (before * 2).clamp(WAIT_MIN, WAIT_MAX);
            waiting.full = Some(Full { wait, until: now + wait });
        }
    }

    /// A route of which it is time to look how full its queue is.
    pub(super) fn unknown(&self, now: Instant) -> Option<Arc<Route>> {
        let unknown = self.routes.iter().find(|(_, waiting)| {
            waiting.room == 0 && !waiting.parcels.is_empty() && !waiting.is_to_wait(now)
        });
        unknown.map(|(route, _)| Arc::clone(route))
    }

    /// So many jobs are ready in a route's queue.
    pub(super) fn looked(&mut self, route: &Arc<Route>, ready: u64, now: Instant) {
        let waiting = self.waiting(route);
        waiting.room = route.capacity.saturating_sub(ready.saturating_add(waiting.in_flight));
        if waiting.room == 0 {
            self.refused(route, now);
        }
    }

    /// When to look at a queue that was full.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.routes.values().filter(|waiting| !waiting.parcels.is_empty() && waiting.room == 0);
        waiting.filter_map(|waiting| waiting.full.as_ref()).map(|full| full.until).min()
    }

    fn waiting(&mut self, route: &Arc<Route>) -> &mut Waiting {
        self.routes.entry(Arc::clone(route)).or_default()
    }
}

impl Waiting {
    fn next(&mut self, now: Instant) -> Option<Parcel> {
        while self.parcels.front().is_some_and(Parcel::is_abandoned) {
            self.parcels.pop_front();
        }
        if self.room == 0 || self.is_to_wait(now) { None } else { self.parcels.pop_front() }
    }

    fn is_to_wait(&self, now: Instant) -> bool {
        self.full.as_ref().is_some_and(|full| full.until > now)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    fn route(key: &str) -> Arc<Route> {
        let (exchange, key) = ("work".to_owned(), key.to_owned());
        Arc::new(Route { exchange, queue: key.clone(), key, capacity: 3 })
    }

    fn parcel(key: &str, number: u8, is_awaited: bool) -> (Parcel, oneshot::Receiver<()>) {
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let (stored, receipt) = oneshot::channel();
        (
            Parcel { route: route(key), payload: Arc::new([number]), stored, is_awaited, _place: place },
            receipt,
        )
    }

    fn numbers(parcels: &[Parcel]) -> Vec<u8> {
        parcels.iter().map(|parcel| parcel.payload[0]).collect()
    }

    fn outgoing(parcels: impl IntoIterator<Item = (Parcel, oneshot::Receiver<()>)>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        parcels.into_iter().for_each(|(parcel, _)| outgoing.add(parcel));
        outgoing
    }

    #[test]
    fn no_more_is_sent_than_there_is_room_for() {
        let mut outgoing = outgoing((0..9).map(|number| parcel("work", number, false)));
        let (now, work) = (Instant::now(), route("work"));
        assert!(outgoing.take(now).is_empty(), "nobody has looked");
        assert_eq!(outgoing.unknown(now), Some(Arc::clone(&work)));
        outgoing.looked(&work, 1, now);
        assert_eq!(numbers(&outgoing.take(now)), [0, 1]);
        outgoing.stored(&work);
        outgoing.looked(&work, 1, now);
        assert_eq!(numbers(&outgoing.take(now)), [2], "one is ready and one on its way");
    }

    #[test]
    fn a_full_queue_is_looked_at_ever_more_rarely_until_something_is_stored() {
        let mut outgoing = outgoing((0..5).map(|number| parcel("full", number, false)));
        let (mut now, full) = (Instant::now(), route("full"));
        for wait in [50, 100, 200, 400, 800, 1_000, 1_000] {
            outgoing.looked(&full, 3, now);
            let due = outgoing.due().unwrap();
            assert_eq!(due - now, Duration::from_millis(wait));
            assert_eq!(outgoing.unknown(due - Duration::from_millis(1)), None);
            now = due;
            assert_eq!(outgoing.unknown(now), Some(Arc::clone(&full)));
        }
        outgoing.looked(&full, 2, now);
        assert_eq!(numbers(&outgoing.take(now)), [0]);
        outgoing.stored(&full);
        outgoing.looked(&full, 3, now);
        assert_eq!(outgoing.due().unwrap() - now, Duration::from_millis(50));
    }

    #[test]
    fn what_the_broker_refuses_is_sent_first_after_a_wait() {
        let mut outgoing = outgoing((0..5).map(|number| parcel("full", number, false)));
        let (now, full) = (Instant::now(), route("full"));
        outgoing.looked(&full, 0, now);
        let sent = outgoing.take(now);
        for parcel in &sent {
            outgoing.refused(&parcel.route, now);
        }
        outgoing.put_back(sent);
        assert!(outgoing.take(now).is_empty());
        let due = outgoing.due().unwrap();
        assert_eq!(due - now, Duration::from_millis(50), "one burst is one refusal");
        outgoing.looked(&full, 0, due);
        assert_eq!(numbers(&outgoing.take(due)), [0, 1, 2]);
    }

    #[test]
    fn a_full_queue_holds_up_no_other() {
        let mut outgoing = outgoing([parcel("full", 0, false), parcel("open", 1, false)]);
        let now = Instant::now();
        outgoing.looked(&route("full"), 3, now);
        outgoing.looked(&route("open"), 0, now);
        assert_eq!(numbers(&outgoing.take(now)), [1]);
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_sent() {
        let mut outgoing = outgoing([parcel("tier", 0, true), parcel("tier", 1, false)]);
        outgoing.looked(&route("tier"), 0, Instant::now());
        assert_eq!(numbers(&outgoing.take(Instant::now())), [1], "a job needs nobody");
    }
}
