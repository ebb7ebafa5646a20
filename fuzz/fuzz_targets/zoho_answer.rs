//! See `shared::fuzzing::zoho_answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shared::fuzzing::zoho_answer(bytes));
