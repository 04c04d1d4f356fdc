//! Bytes produced by implementations that were not written here are accepted and mean what they should.

use serde_json::{Value, json};

use instagram_sim::{Numbering, PasswordKind, Sim, SimOptions};

use crate::{
    DEADLINE,
    client::{Client, Frame, deflate},
};

const PK: u64 = 12_345_678_901;

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn hex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The session id inside the packet: plain, or in the bearer value.
fn sessionid(case: &Value) -> String {
    let thrift = String::from_utf8_lossy(&hex(&case["thrift_hex"])).into_owned();
    if let Some((_, rest)) = thrift.split_once("sessionid=") {
        return rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '%').collect();
    }
    let (_, rest) = thrift.split_once("Bearer IGT:2:").unwrap();
    let base64: String =
        rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "+/=".contains(*letter)).collect();
    let json: Value = serde_json::from_slice(&data_encoding::BASE64.decode(base64.as_bytes()).unwrap()).unwrap();
    json["sessionid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn connect_packets_of_two_other_clients_open_a_connection() {
    for case in vectors("connect_packets") {
        let name = case["name"].as_str().unwrap();
        let (numbering, password) = match name {
            "realtime_mautrix" => (Numbering::SevenEight, PasswordKind::Authorization),
            "realtime_instagrapi" => (Numbering::NineTen, PasswordKind::SessionId),
            _ => continue,
        };
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        sim.create_account_with("anna", "Anna", Some(PK), Some(sessionid(&case))).unwrap();
        let mut client = Client::open(&sim).await;
        client.write(&hex(&case["output_hex"])).await;
        assert_eq!(client.read().await, Some(Frame(0x20, vec![0, 0])), "{name}");
        sim.wait_for_connections(PK, 1, DEADLINE).await.unwrap();
        let details = &sim.connection_details(PK)[0];
        assert_eq!((details.numbering, details.password), (numbering, password), "{name}");
        assert!(details.app_version.is_some(), "{name}");
    }
}

#[tokio::test]
async fn publish_and_control_packets_of_other_clients_are_answered() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let anna = sim.create_account("anna", "Anna").unwrap();
    let mut client = Client::connect(&sim, &anna).await;
    for case in vectors("publish_packets") {
        client.write(&hex(&case["output_hex"])).await;
        if case["input"]["qos"] == 1 {
            let id = case["input"]["packet_id"].as_u64().unwrap() as u16;
            loop {
                match client.read().await {
                    Some(Frame(0x40, body)) => {
                        assert_eq!(body, id.to_be_bytes(), "{}", case["name"]);
                        break;
                    }
                    Some(Frame(0x32, _)) => {}
                    other => panic!("{}: {other:?}", case["name"]),
                }
            }
        }
    }
    for case in vectors("control_packets") {
        client.write(&hex(&case["output_hex"])).await;
        let expected = match case["name"].as_str().unwrap() {
            "pingreq" => Some(Frame(0xd0, vec![])),
            "subscribe_fbns_76_pid1" | "puback_513" => continue,
            "disconnect" => None,
            other => panic!("unknown case {other}"),
        };
        assert_eq!(client.read().await, expected, "{}", case["name"]);
        if expected.is_none() {
            break;
        }
    }
}

#[tokio::test]
async fn commands_of_other_clients_do_what_they_say() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let anna = sim.create_account("anna", "Anna").unwrap();
    let bert = sim.create_account_with("bert", "Bert", Some(42), None).unwrap();
    let thread = sim.create_thread(&[anna.pk, bert.pk], None).unwrap();
    let mut client = Client::subscribed(&sim, &anna).await;
    let mut number = 0;
    for case in vectors("mqtt_commands") {
        let name = case["name"].as_str().unwrap();
        for (peer, output) in case["outputs"].as_object().unwrap() {
            if output["topic"] != "132" {
                continue;
            }
            number += 1;
            let target = sim.send_text(bert.pk, &thread, "target").unwrap();
            let context = sim.thread_items(&thread).unwrap().pop().unwrap().client_context;
            // The vector's names are put in the place of this simulator's.
            let mut command: Value = serde_json::from_str(output["json"].as_str().unwrap()).unwrap();
            command["thread_id"] = json!(thread);
            if command["client_context"].is_string() {
                command["client_context"] = json!(format!("{number}"));
            }
            for key in ["item_id", "replied_to_item_id"] {
                let is_item =
                    command["action"] != "send_item" || command["item_type"] == "reaction" || key != "item_id";
                if command[key].is_string() && is_item {
                    command[key] = json!(target);
                }
            }
            if command["replied_to_client_context"].is_string() {
                command["replied_to_client_context"] = json!(context);
            }
            let before = sim.item_count(&thread).unwrap();
            client.publish_bytes("132", &deflate(command.to_string().as_bytes())).await;
            if command["action"] != "send_item" {
                continue;
            }
            let answer = client.next("133").await;
            assert_eq!(answer["status"], "ok", "{name} of {peer}: {answer}");
            assert_eq!(answer["payload"]["client_context"], format!("{number}"), "{name} of {peer}");
            let items = sim.thread_items(&thread).unwrap();
            if command["item_type"] == "reaction" {
                let reacted = items.iter().find(|item| item.item_id == target).unwrap().reactions.len();
                assert_eq!(reacted, usize::from(name == "reaction_add"), "{name} of {peer}");
                continue;
            }
            assert_eq!(items.len(), before + 1, "{name} of {peer}");
            let item = items.last().unwrap();
            assert_eq!(json!(item.item_type), command["item_type"], "{name} of {peer}");
            assert_eq!(item.reply_to.is_some(), name == "text_reply", "{name} of {peer}");
            assert_eq!(item.content.contains_key("text_entities"), name == "text_mention", "{name} of {peer}");
        }
    }
    assert!(number > 20, "only {number} commands were tried");
}
