//! The keys of generations that were forgotten. Their names are known, so that nothing has to be searched for; they go
//! in steps, each of which keeps the server busy for some milliseconds only.

use std::sync::LazyLock;

use redis::Script;

use super::RedisState;
use super::keys::BUCKETS;
use crate::failure::Failure;

/// Buckets per step.
const STEP: u32 = 1 << 12;

/// ARGV: what the names begin with, the first bucket, the one behind the last.
static SWEEP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "for bucket = tonumber(ARGV[2]), tonumber(ARGV[3]) - 1 do \
             local name = string.format('%x', bucket) \
             redis.call('UNLINK', ARGV[1] .. 'r' .. name, ARGV[1] .. 'i' .. name) \
         end \
         return 0",
    )
});

impl RedisState {
    /// Removes what was forgotten. What a process that died had begun is gone on with by the next.
    pub(super) async fn sweep(&self) -> Result<(), Failure> {
        let mut commands = redis::pipe();
        commands.cmd("SMEMBERS").arg(self.keys.garbage());
        let forgotten: Vec<String> = self.link.ask(&commands).await?.next()?;
        for member in forgotten {
            let names = self.keys.forgotten(&member);
            for first in (0..BUCKETS).step_by(STEP as usize) {
                let mut call = SWEEP.prepare_invoke();
                call.arg(names.prefix()).arg(first).arg(first + STEP);
                self.link.run::<i64>(&call).await?;
            }
            let mut commands = redis::pipe();
            commands.cmd("UNLINK").arg(names.few()).cmd("SREM").arg(self.keys.garbage()).arg(&member);
            self.link.ask(&commands).await?;
        }
        Ok(())
    }
}
