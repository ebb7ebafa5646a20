//! Moments as people read them.

use jiff::Timestamp;

/// `2026-11-25 04:58:45 UTC`: whole seconds, the same wherever a moment is told.
pub fn in_utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
