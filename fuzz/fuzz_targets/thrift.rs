//! Hands libFuzzer's inputs to the check of the same name.
#![no_main]

#[path = "../checks/thrift.rs"]
mod check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| check::check(data));
