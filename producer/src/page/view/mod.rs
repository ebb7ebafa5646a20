//! What the templates show: everything in words and numbers as people read them, nothing left to decide.

pub(super) mod card;
mod chart;
pub(super) mod frame;
pub(super) mod letter;
pub(super) mod people;
pub(super) mod record;
pub(super) mod run;
pub(super) mod when;
