//! Holds one broker and one Redis for a run of the tests: prints the variables that name them, then waits until its input ends.

use std::io::Write as _;

use services::{BROKER_VARIABLE, Broker, REDIS_VARIABLE, RedisServer};

fn main() -> std::io::Result<()> {
    let (broker, redis) = (Broker::start(), RedisServer::start());
    let mut out = std::io::stdout();
    writeln!(out, "{BROKER_VARIABLE}={}\n{REDIS_VARIABLE}={}", broker.addr(), redis.addr())?;
    out.flush()?;
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}
