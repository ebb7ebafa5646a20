//! The sink against stand-ins of Odoo 17, 18 and 19, judged by what the stand-in holds and counts.

mod archive;
mod fault;
mod image;
mod life;
mod matching;
mod opening;
mod race;
mod reference;
mod refusal;
mod stand;
mod translation;
