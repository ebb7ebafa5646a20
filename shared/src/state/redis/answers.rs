//! The answers to commands, in their order.

use std::sync::Arc;

use redis::{FromRedisValue, Value, from_redis_value};

use super::failure::Trouble;
use crate::failure::{Failure, Reason};

/// What the server answered to the commands of one request.
#[derive(Debug)]
pub(super) struct Answers {
    values: std::vec::IntoIter<Value>,
    address: Arc<str>,
}

impl Answers {
    pub(super) fn new(values: Vec<Value>, address: Arc<str>) -> Self {
        Self { values: values.into_iter(), address }
    }

    /// The answer to the next command.
    pub(super) fn next<T: FromRedisValue>(&mut self) -> Result<T, Failure> {
        from_redis_value(self.values.next().unwrap_or(Value::Nil))
            .map_err(|error| Trouble::of(error.into(), &self.address).failure)
    }
}

/// A number of ours, 0 where there is none yet.
pub(super) fn number(text: Option<&str>) -> Result<u64, Failure> {
    text.map_or(Ok(0), |text| text.parse().map_err(|_| damaged("a number")))
}

/// Something that we wrote is not as we wrote it.
pub(super) fn damaged(what: &str) -> Failure {
    Failure::systemic(Reason::Protocol, format!("the state in Redis is damaged: {what} cannot be read")).advise(
        "let nobody else write under its prefix; or remove all keys of the prefix: the next run rebuilds the state from \
         the sink, at the cost of time only",
    )
}
