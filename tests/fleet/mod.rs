//! Many processes: a producer, workers, a private RabbitMQ and Redis between them, and what happens to them. What is
//! true is read from the stand-ins and the files alone, never from our state.

mod bad_input;
mod broker;
mod catalogue;
mod first_run;
mod killed;
mod processes;
mod redis;
mod remote;
mod strays;
mod visible;
