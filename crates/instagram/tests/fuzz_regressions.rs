//! Inputs that the fuzzer found, or that are worth starting from, go through the same checks as there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on shall fail")]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/checks/message_sync.rs"]
mod message_sync;
#[path = "../../../fuzz/checks/mqttot.rs"]
mod mqttot;
#[path = "../../../fuzz/checks/thrift.rs"]
mod thrift;

/// Replays all files of one target.
#[expect(clippy::print_stdout, reason = "names the input at which a check panics")]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus-regressions").join(target);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
    }
}

#[test]
fn thrift_survives_all_known_inputs() {
    replay("thrift", thrift::check);
}

#[test]
fn mqttot_survives_all_known_inputs() {
    replay("mqttot", mqttot::check);
}

#[test]
fn message_sync_survives_all_known_inputs() {
    replay("message_sync", message_sync::check);
}
