//! What every HTTP client of ours needs: bodies read under a cap, headers that tell times, transport errors in words and
//! the short repetition of reads.

pub(crate) mod body;
pub(crate) mod header;
pub(crate) mod peer;
pub(crate) mod repeat;

/// What we call ourselves.
pub(crate) const USER_AGENT: &str = concat!("catalog-sync/", env!("CARGO_PKG_VERSION"));
