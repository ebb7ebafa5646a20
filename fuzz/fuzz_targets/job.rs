//! See `shared::fuzzing::job`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| shared::fuzzing::job(bytes));
