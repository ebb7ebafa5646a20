//! Dead letters.

use shared::failure::Reason;
use shared::job::JobKind;

pub(in crate::page) fn what(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Record => "record",
        JobKind::Image => "image",
    }
}

/// "bad record".
pub(in crate::page) fn words(reason: Reason) -> String {
    reason.label().replace('_', " ")
}
