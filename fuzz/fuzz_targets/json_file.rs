//! See `worker::fuzzing::json_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::json_file(bytes));
