//! Jobs that were sent and not yet confirmed.
//!
//! An unroutable job comes back to us and is confirmed like any other. lapin hands what came back to whichever
//! confirmation resolves *next*, which need not be the job's own: one confirmation of the broker can stand for
//! hundreds of jobs, and lapin resolves those in any order. What is certain is that the job came back before it was
//! confirmed; so when its own confirmation carries nothing, one that resolved *earlier* carries it. Therefore: a
//! confirmation counts only after all others were looked at once more, and what came back is told by its number.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lapin::message::BasicReturnMessage;
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::Instant;

use super::outgoing::Parcel;

/// Persistent, in AMQP's numbers.
const PERSISTENT: u8 = 2;

type Call = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

/// Jobs on one channel, in the order in which they were sent.
pub(super) struct Confirms {
    channel: Channel,
    sent: VecDeque<Sent>,
    heard: Heard,
    /// Of the last job that was sent.
    number: u64,
    /// When the last confirmation came, or the first of those was sent that wait for one.
    progress: Instant,
}

struct Sent {
    number: u64,
    parcel: Parcel,
    call: Call,
    answer: Option<Answer>,
}

/// What the answers of all jobs have told.
#[derive(Default)]
struct Heard {
    /// Numbers of jobs that came back.
    returned: HashSet<u64>,
    /// The channel's first failure.
    failure: Option<lapin::Error>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Stored, unless it came back.
    Confirmed,
    /// Confirmed together with something that came back: perhaps this.
    Doubtful,
    /// Not stored: the queue is full.
    Refused,
    /// The channel failed first: nobody knows.
    Lost,
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Stored,
    Full,
    Unroutable,
}

impl Confirms {
    /// Of a channel in confirm mode that nobody else publishes on.
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, sent: VecDeque::new(), heard: Heard::default(), number: 0, progress: Instant::now() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Since when nothing was confirmed though something should be.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        (!self.sent.is_empty()).then_some(self.progress)
    }

    /// The channel's failure, once it has one.
    pub(super) fn failure(&self) -> Option<&lapin::Error> {
        self.heard.failure.as_ref()
    }

    /// Hands a job to the connection's writer.
    pub(super) fn send(&mut self, parcel: Parcel) {
        if self.sent.is_empty() {
            self.progress = Instant::now();
        }
        self.number += 1;
        let number = self.number;
        let (channel, payload) = (self.channel.clone(), Arc::clone(&parcel.payload));
        let (exchange, key) = (parcel.route.exchange.as_str().into(), parcel.route.key.as_str().into());
        let call: Call = Box::pin(async move {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let confirm = channel.basic_publish(exchange, key, options, &payload, properties(number)).await?;
            confirm.await
        });
        let mut sent = Sent { number, parcel, call, answer: None };
        // The first look is what sends it.
        sent.is_answered(&mut self.heard, &mut Context::from_waker(Waker::noop()));
        self.sent.push_back(sent);
    }

    /// Ready when the oldest has its answer.
    pub(super) fn poll_oldest(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let oldest = self.sent.front_mut();
        if oldest.is_some_and(|oldest| oldest.is_answered(&mut self.heard, context)) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// What has become of those that have their answer, in the order in which they were sent.
    pub(super) fn settle(&mut self) -> Vec<(Parcel, Verdict)> {
        let mut context = Context::from_waker(Waker::noop());
        // The last round finds nothing new: it has looked at all others after each answer that is known.
        loop {
            let mut is_news = false;
            for sent in self.sent.iter_mut().filter(|sent| sent.answer.is_none()) {
                is_news |= sent.is_answered(&mut self.heard, &mut context);
            }
            if !is_news {
                break;
            }
        }
        let mut settled = Vec::new();
        let mut open = VecDeque::with_capacity(self.sent.len());
        for sent in self.sent.drain(..) {
            match sent.answer {
                None | Some(Answer::Lost) => open.push_back(sent),
                Some(answer) => {
                    let verdict = verdict(answer, self.heard.returned.contains(&sent.number));
                    settled.push((sent.parcel, verdict));
                }
            }
        }
        self.sent = open;
        let oldest = self.sent.front().map_or(u64::MAX, |sent| sent.number);
        self.heard.returned.retain(|number| *number >= oldest);
        if !settled.is_empty() {
            self.progress = Instant::now();
        }
        settled
    }

    /// What was sent and has no answer, in order.
    pub(super) fn into_parcels(self) -> Vec<Parcel> {
        self.sent.into_iter().map(|sent| sent.parcel).collect()
    }
}

impl Sent {
    /// Looks whether it has its answer, and keeps it.
    fn is_answered(&mut self, heard: &mut Heard, context: &mut Context<'_>) -> bool {
        if self.answer.is_some() {
            return true;
        }
        let Poll::Ready(confirmation) = self.call.as_mut().poll(context) else { return false };
        let (answer, message) = match confirmation {
            Ok(Confirmation::Ack(None)) => (Answer::Confirmed, None),
            Ok(Confirmation::Ack(message)) => (Answer::Doubtful, message),
            Ok(Confirmation::Nack(message)) => (Answer::Refused, message),
            // Never on a channel in confirm mode.
            Ok(Confirmation::NotRequested) => (Answer::Doubtful, None),
            Err(error) => {
                heard.failure.get_or_insert(error);
                (Answer::Lost, None)
            }
        };
        self.answer = Some(answer);
        heard.returned.extend(message.as_ref().and_then(number_of));
        true
    }
}

fn verdict(answer: Answer, came_back: bool) -> Verdict {
    match answer {
        Answer::Confirmed if !came_back => Verdict::Stored,
        Answer::Refused if !came_back => Verdict::Full,
        Answer::Confirmed | Answer::Doubtful | Answer::Refused | Answer::Lost => Verdict::Unroutable,
    }
}

fn properties(number: u64) -> BasicProperties {
    let seconds = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(number.to_string().into())
        .with_timestamp(seconds)
}

fn number_of(returned: &BasicReturnMessage) -> Option<u64> {
    returned.properties.message_id().as_ref()?.as_str().parse().ok()
}
