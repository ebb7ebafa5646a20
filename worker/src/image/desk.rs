//! The sink, one caller at a time, and the questions that those ask who wait for it: they are asked together.

use std::collections::HashMap;
use std::sync::{Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError};

use shared::failure::Failure;
use tokio::sync::{Mutex, MutexGuard};

use super::sink::ImageSink;

/// See the module. Whoever waits here holds an image: one at a time is in the memory in base64.
#[derive(Debug)]
pub(super) struct Desk<S> {
    sink: Mutex<S>,
    questions: StdMutex<HashMap<String, Question>>,
}

/// What is wanted to be known of the image that the sink keeps of a record.
#[derive(Debug, Default)]
struct Question {
    /// How many wait for the answer.
    askers: usize,
    answer: Answer,
}

/// What is known.
#[derive(Debug, Clone, Default)]
enum Answer {
    /// The sink was not asked yet.
    #[default]
    Open,
    /// There is none, or one of this SHA-1.
    Image(Option<String>),
}

/// A question that is asked; withdrawn when dropped.
struct Asked<'a, S> {
    desk: &'a Desk<S>,
    sink_id: &'a str,
}

impl<S> Drop for Asked<'_, S> {
    fn drop(&mut self) {
        let mut questions = self.desk.questions();
        if let Some(question) = questions.get_mut(self.sink_id) {
            question.askers -= 1;
            if question.askers == 0 {
                questions.remove(self.sink_id);
            }
        }
    }
}

impl<S> Desk<S> {
    fn questions(&self) -> StdMutexGuard<'_, HashMap<String, Question>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: ImageSink> Desk<S> {
    pub(super) fn new(sink: S) -> Self {
        Self { sink: Mutex::new(sink), questions: StdMutex::default() }
    }

    /// Waits for the sink: the SHA-1 of the image that it keeps of this record, if any, and the sink itself. The answer may
    /// be as old as the turn of somebody who was served since this one waits.
    ///
    /// # Errors
    /// The sink's.
    pub(super) async fn turn(&self, sink_id: &str) -> Result<(Option<String>, MutexGuard<'_, S>), Failure> {
        let _asked = self.ask(sink_id);
        let mut sink = self.sink.lock().await;
        if let Answer::Image(hash) = self.answer(sink_id) {
            return Ok((hash, sink));
        }
        let ids = self.unanswered();
        let mut hashes = sink.image_hashes(&ids).await?;
        let mut questions = self.questions();
        for id in ids {
            let hash = hashes.remove(&id);
            if let Some(question) = questions.get_mut(&id) {
                question.answer = Answer::Image(hash);
            }
        }
        drop(questions);
        let hash = match self.answer(sink_id) {
            Answer::Image(hash) => hash,
            Answer::Open => None,
        };
        Ok((hash, sink))
    }

    fn answer(&self, sink_id: &str) -> Answer {
        self.questions().get(sink_id).map(|question| question.answer.clone()).unwrap_or_default()
    }

    fn ask<'a>(&'a self, sink_id: &'a str) -> Asked<'a, S> {
        let mut questions = self.questions();
        let question = questions.entry(sink_id.to_owned()).or_default();
        question.askers += 1;
        // Who comes now may know of a change since.
        question.answer = Answer::Open;
        Asked { desk: self, sink_id }
    }

    fn unanswered(&self) -> Vec<String> {
        let questions = self.questions();
        let open = questions.iter().filter(|(_, question)| matches!(question.answer, Answer::Open));
        open.map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use shared::odoo::Base64;

    use super::super::samples::jpeg;
    use super::super::shelf::Shelf;
    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_answered_by_one_question() {
        let shelf = Shelf::default();
        let desk = Desk::new(shelf.clone());
        let first = desk.turn("one").await.unwrap();
        let waiting =
            async { tokio::join!(served(&desk, "two"), served(&desk, "three"), served(&desk, "four")) };
        let leaving = async { drop(first) };
        let (answers, ()) = tokio::join!(waiting, leaving);
        assert_eq!(answers, (None, None, None));
        assert_eq!(shelf.look(|inside| inside.asked), 2, "the first one's, and one for all who waited");
        assert!(desk.questions().is_empty());
    }

    #[tokio::test]
    async fn whoever_comes_later_hears_of_what_was_written_meanwhile() {
        let shelf = Shelf::default();
        let desk = Desk::new(shelf.clone());
        let (before, mut sink) = desk.turn("one").await.unwrap();
        sink.write_image("one", Some(Base64::of(&jpeg(20)))).await.unwrap();
        drop(sink);
        assert_eq!(before, None);
        assert!(served(&desk, "one").await.is_some());
    }

    #[tokio::test]
    async fn whoever_goes_away_is_asked_for_no_more() {
        let desk = Desk::new(Shelf::default());
        let first = desk.turn("one").await.unwrap();
        {
            let mut gone = std::pin::pin!(desk.turn("two"));
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(gone.as_mut().poll(context)));
            assert!(polled.await.is_pending());
            assert_eq!(desk.unanswered(), ["two"]);
        }
        assert!(desk.questions().is_empty());
        drop(first);
    }

    async fn served(desk: &Desk<Shelf>, sink_id: &str) -> Option<String> {
        desk.turn(sink_id).await.unwrap().0
    }
}
