//! See `shared::fuzzing::odoo_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shared::fuzzing::odoo_answer(bytes));
