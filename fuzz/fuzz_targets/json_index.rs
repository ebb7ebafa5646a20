//! See `worker::fuzzing::json_index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::json_index(bytes));
