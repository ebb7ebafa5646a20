//! What an operator asks of the service and tells it, as a library: the command line and the page do the same by it. All of
//! it goes through the state, so that any process may serve it.

pub mod change;
pub mod letters;
mod next;
pub mod overview;
pub mod quota;
pub mod status;
pub mod why;
