//! Named places at which a test may let the process die, as `kill -9` would: between two steps that must not be one.
//! Builds without debug assertions (every release) have none of it.

/// Dies here, where `CATALOG_SYNC_CRASH=<point>:<n>` says so, when this is passed for the n-th time.
#[inline]
pub fn point(name: Point) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

/// The places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Worker: jobs are claimed.
    Claimed,
    /// Worker: the sink has written them.
    Upserted,
    /// Worker: the state knows that they are applied.
    Recorded,
    /// Worker: image jobs of them are published.
    ImagesPublished,
    /// Worker: the first of a batch is acked.
    Acked,
    /// Worker: an image is claimed.
    ImageClaimed,
    /// Worker: the sink has the image.
    ImageWritten,
    /// Producer: records are wanted.
    Wanted,
    /// Producer: a job is published, perhaps not yet confirmed.
    Published,
    /// Producer: all jobs of a page are confirmed.
    Confirmed,
    /// Producer: the cursor has passed a page.
    Advanced,
    /// Operator: dead letters are outstanding again, their jobs are not enqueued.
    Redriven,
}

impl Point {
    /// All of them, for tests that try each.
    pub const ALL: [Self; 12] = [
        Self::Claimed,
        Self::Upserted,
        Self::Recorded,
        Self::ImagesPublished,
        Self::Acked,
        Self::ImageClaimed,
        Self::ImageWritten,
        Self::Wanted,
        Self::Published,
        Self::Confirmed,
        Self::Advanced,
        Self::Redriven,
    ];

    /// As in the variable.
    pub fn label(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Upserted => "upserted",
            Self::Recorded => "recorded",
            Self::ImagesPublished => "images_published",
            Self::Acked => "acked",
            Self::ImageClaimed => "image_claimed",
            Self::ImageWritten => "image_written",
            Self::Wanted => "wanted",
            Self::Published => "published",
            Self::Confirmed => "confirmed",
            Self::Advanced => "advanced",
            Self::Redriven => "redriven",
        }
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    /// The point, and how often it is passed before the one that kills.
    static ARMED: LazyLock<Option<(Point, AtomicU64)>> = LazyLock::new(|| {
        let text = std::env::var("CATALOG_SYNC_CRASH").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        let point = Point::ALL.into_iter().find(|point| point.label() == name);
        let count: Option<u64> = count.parse().ok().filter(|count| *count > 0);
        let (point, count) = point.zip(count).expect("CATALOG_SYNC_CRASH is <point>:<n>, n from 1");
        Some((point, AtomicU64::new(count)))
    });

    pub(super) fn pass(name: Point) {
        let Some((_, left)) = ARMED.as_ref().filter(|(point, _)| *point == name) else { return };
        if left.fetch_sub(1, Ordering::Relaxed) == 1 {
            // No destructor runs and nothing is flushed: as a kill, and unlike an exit.
            std::process::abort();
        }
    }
}
