//! Any bytes as a sync event.
#![no_main]

#[path = "../checks/message_sync.rs"]
mod message_sync;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| message_sync::check(payload));
