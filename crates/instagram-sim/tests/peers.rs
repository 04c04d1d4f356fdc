//! Clients that were not written here use the simulator: instagrapi (Python) and instagram_mqtt (Node.js).
//!
//! `PUPPETGRAM_PYTHON` names a Python with instagrapi, `PUPPETGRAM_NODE_MODULES` a directory with instagram_mqtt and
//! instagram-private-api; `cargo xtask test` provides both. Without them the tests say that they were skipped, or fail
//! if `PUPPETGRAM_REQUIRE_SERVERS` is 1.
#![expect(clippy::unwrap_used, reason = "a test ends at the first thing that is not as it should be")]

use std::{io::Write, path::Path, process::Stdio, time::Duration};

use instagram_sim::{Account, Numbering, PasswordKind, Sim, SimOptions};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Both peers start slowly on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The value of a variable that says where a peer is installed; without it the test is skipped or fails.
fn installed(variable: &str, peer: &str) -> Option<String> {
    if let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        return Some(value);
    }
    let required = std::env::var("PUPPETGRAM_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
    assert!(!required, "{variable} is not set, so {peer} cannot be run: use `cargo xtask test`");
    // Straight to the descriptor: the text of the print macros is shown only for tests that fail.
    let line = format!("SKIPPED: {peer} needs {variable}: run `cargo xtask test`\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    None
}

/// A peer's process; it ends with this value.
struct Peer {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(program: &str, script: &str) -> Peer {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(script);
        let mut command = Command::new(program);
        command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // Settings of this machine that would win over what the script says.
        for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Peer { _child: child, input, output }
    }

    async fn tell(&mut self, line: Value) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        self.input.flush().await.unwrap();
    }

    /// The next line, which must be this step.
    async fn step(&mut self, step: &str) -> Value {
        let line = tokio::time::timeout(DEADLINE, self.output.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("the peer hangs before {step:?}")).unwrap();
        let line = line.unwrap_or_else(|| panic!("the peer ended before {step:?}"));
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the peer said {line}"));
        assert_eq!(said["step"], step, "{said}");
        said
    }
}

/// A simulator with a chat and some history, and the configuration a peer is given.
async fn scene(directory: &Path, sends: &[String]) -> (Sim, Account, Account, String, Value) {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let anna = sim.create_account("anna", "Anna Alm").unwrap();
    let bert = sim.create_account("bert", "Bert Berg").unwrap();
    let thread = sim.create_thread(&[bert.pk, anna.pk], None).unwrap();
    for index in 0..30 {
        sim.send_text(bert.pk, &thread, &format!("earlier {index}")).unwrap();
    }
    let ca_file = directory.join("ca.pem");
    std::fs::write(&ca_file, sim.ca_pem()).unwrap();
    let api = sim.api_url();
    let setup = json!({
        "api": format!("{}:{}", api.host_str().unwrap(), api.port().unwrap()),
        "realtime": sim.realtime_address().to_string(),
        "ca_file": ca_file,
        "sessionid": anna.sessionid,
        "pk": anna.pk.to_string(),
        "other": bert.pk.to_string(),
        "thread": thread,
        "history": 30,
        "send": sends,
    });
    (sim, anna, bert, thread, setup)
}

fn texts(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix} {index} – åäö 🎉\nsecond line")).collect()
}

fn texts_of(sim: &Sim, thread: &str, pk: u64) -> Vec<String> {
    let items = sim.thread_items(thread).unwrap();
    items.into_iter().filter(|item| item.sender == pk).filter_map(|item| item.text).collect()
}

#[tokio::test]
async fn instagrapi_logs_in_reads_the_inbox_and_chats() {
    let Some(python) = installed("PUPPETGRAM_PYTHON", "instagrapi") else { return };
    let directory = tempfile::tempdir().unwrap();
    let sends = texts("from instagrapi", 20);
    let (sim, anna, bert, thread, setup) = scene(directory.path(), &sends).await;
    let mut peer = Peer::start(&python, "instagrapi_peer.py");
    peer.tell(setup).await;

    assert_eq!(peer.step("login").await["username"], "anna");
    assert_eq!(peer.step("account").await["full_name"], "Anna Alm");
    let inbox = peer.step("inbox").await;
    assert_eq!(inbox["threads"][0]["id"], thread);
    assert_eq!(inbox["threads"][0]["users"], json!(["bert"]));
    assert_eq!(inbox["threads"][0]["texts"][0], "earlier 29");
    let history = peer.step("history").await;
    let expected: Vec<String> = (0..30).rev().map(|index| format!("earlier {index}")).collect();
    assert_eq!(history["texts"], json!(expected));

    let subscribed = peer.step("subscribed").await;
    assert_eq!((&subscribed["answer"]["succeeded"], &subscribed["alive"]), (&json!(true), &json!(true)));
    let connection = &sim.connection_details(anna.pk)[0];
    assert_eq!((connection.numbering, connection.password), (Numbering::NineTen, PasswordKind::SessionId));
    let sent = peer.step("sent").await;
    let answered: Vec<Value> =
        sent["contexts"].as_array().unwrap().iter().map(|context| json!(["ok", context])).collect();
    assert_eq!(sent["answers"], json!(answered));
    assert_eq!(texts_of(&sim, &thread, anna.pk), sends);

    let incoming = texts("to instagrapi", 20);
    for text in &incoming {
        sim.send_text(bert.pk, &thread, text).unwrap();
    }
    peer.tell(json!({ "expect": incoming.len() })).await;
    assert_eq!(peer.step("received").await["texts"], json!(incoming));

    let answered = peer.step("answered").await;
    let last = sim.thread_items(&thread).unwrap().pop().unwrap();
    assert_eq!((json!(last.item_id), last.text.as_deref()), (answered["id"].clone(), Some("over HTTP")));
    peer.step("end").await;
    sim.wait_for_connections(anna.pk, 0, DEADLINE).await.unwrap();
    let unknown: Vec<String> =
        sim.recorded_requests().into_iter().filter(|request| !request.known).map(|request| request.path).collect();
    assert!(unknown.is_empty(), "endpoints the simulator lacks: {unknown:?}");
}

#[tokio::test]
async fn instagram_mqtt_connects_and_chats() {
    let Some(modules) = installed("PUPPETGRAM_NODE_MODULES", "instagram_mqtt") else { return };
    let node = std::env::var("PUPPETGRAM_NODE").unwrap_or_else(|_| "node".into());
    if modules == "none" {
        std::io::stderr().write_all(b"SKIPPED: instagram_mqtt needs Node.js, which is not on this machine\n").unwrap();
        return;
    }
    assert!(Path::new(&modules).join("instagram_mqtt").is_dir(), "{modules} holds no instagram_mqtt");
    let directory = tempfile::tempdir().unwrap();
    let sends = texts("from instagram_mqtt", 20);
    let (sim, anna, bert, thread, setup) = scene(directory.path(), &sends).await;
    let mut peer = Peer::start(&node, "instagram_mqtt_peer.js");
    peer.tell(setup).await;

    assert_eq!(peer.step("account").await["username"], "anna");
    let inbox = peer.step("inbox").await;
    assert_eq!(inbox["threads"], json!([thread]));
    assert_eq!(peer.step("subscribed").await["answer"]["succeeded"], true);
    let sent = peer.step("sent").await;
    assert_eq!(sent["statuses"], json!(vec!["ok"; sends.len()]));
    assert_eq!(texts_of(&sim, &thread, anna.pk), sends);

    let incoming = texts("to instagram_mqtt", 20);
    for text in &incoming {
        sim.send_text(bert.pk, &thread, text).unwrap();
    }
    sim.show_typing(bert.pk, &thread, true).unwrap();
    peer.tell(json!({ "expect": incoming.len() })).await;
    let received = peer.step("received").await;
    // This peer inflates payloads side by side, so it may hand them on in another order than they came.
    let mut texts: Vec<&str> = received["texts"].as_array().unwrap().iter().filter_map(|text| text.as_str()).collect();
    texts.sort_unstable();
    let mut expected: Vec<&str> = incoming.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(texts, expected);
    let typing = received["typing"].as_str().unwrap();
    assert!(typing.starts_with(&format!("/direct_v2/threads/{thread}/activity_indicator_id/")), "{typing}");
    peer.step("end").await;
    sim.wait_for_connections(anna.pk, 0, DEADLINE).await.unwrap();
}
