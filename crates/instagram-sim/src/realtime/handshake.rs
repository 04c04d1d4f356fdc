//! CONNECT: the packet's struct, and whether its password opens a session.

use bytes::{Buf, Bytes};

use super::{
    payload,
    thrift::{self, Tree},
    wire::{self, Malformed},
};
use crate::{
    api::parse_bearer,
    connection::{Numbering, PasswordKind},
    world::World,
};

/// What a client says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hello {
    pub(super) keep_alive: u16,
    pub(super) client_identifier: String,
    pub(super) user_id: u64,
    pub(super) password: String,
    pub(super) numbering: Numbering,
    pub(super) topics: Vec<i64>,
    pub(super) app_version: Option<String>,
}

/// Reads what follows the fixed header of CONNECT.
pub(super) fn read(mut body: Bytes) -> Result<Hello, Malformed> {
    if wire::take_string(&mut body)? != "MQTToT" {
        return Err(Malformed("protocol name"));
    }
    if body.len() < 4 {
        return Err(Malformed("CONNECT too short"));
    }
    let (level, flags) = (body.get_u8(), body.get_u8());
    let keep_alive = body.get_u16();
    if level != 3 || flags & 0xc2 != 0xc2 {
        return Err(Malformed("protocol level or flags"));
    }
    if body.first() != Some(&0x78) {
        return Err(Malformed("CONNECT is not compressed"));
    }
    let plain = payload::inflate(&body).ok_or(Malformed("CONNECT does not inflate"))?;
    let tree = thrift::read(&plain).ok_or(Malformed("CONNECT struct"))?;
    hello(keep_alive, &tree).ok_or(Malformed("CONNECT lacks a field"))
}

fn hello(keep_alive: u16, tree: &Tree) -> Option<Hello> {
    let info = tree.field(4)?;
    let is_map = |id: i16| matches!(tree.field(id), Some(Tree::Map(_)));
    let is_text = |id: i16| matches!(tree.field(id), Some(Tree::Bytes(_)));
    let (numbering, specific) = if is_map(10) || is_text(9) {
        (Numbering::NineTen, tree.field(10))
    } else if is_map(8) || is_text(7) {
        (Numbering::SevenEight, tree.field(8))
    } else {
        (Numbering::Absent, None)
    };
    let app_version = match specific {
        Some(Tree::Map(pairs)) => {
            let found = pairs.iter().find(|(key, _)| key.text().as_deref() == Some("app_version"));
            found.and_then(|(_, value)| value.text())
        }
        _ => None,
    };
    let topics = match info.field(14) {
        Some(Tree::List(all)) => all.iter().filter_map(Tree::int).collect(),
        _ => Vec::new(),
    };
    Some(Hello {
        keep_alive,
        client_identifier: tree.field(1)?.text()?,
        user_id: u64::try_from(info.field(1)?.int()?).ok()?,
        password: tree.field(5)?.text()?,
        numbering,
        topics,
        app_version,
    })
}

/// The account, its session and the kind of password, if the credentials are good.
pub(super) fn check(world: &World, hello: &Hello) -> Option<(u64, String, PasswordKind)> {
    let (kind, sessionid) = if let Some(sessionid) = hello.password.strip_prefix("sessionid=") {
        (PasswordKind::SessionId, sessionid.to_owned())
    } else {
        let bearer = hello.password.strip_prefix("authorization=")?;
        (PasswordKind::Authorization, parse_bearer(bearer)?.1)
    };
    let (pk, plain) = world.session(&sessionid)?;
    (pk == hello.user_id).then_some((pk, plain, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole packets of clients that were not written by us.
    fn vectors(name: &str) -> serde_json::Value {
        let path = format!("{}/tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn bytes(hex: &serde_json::Value) -> Vec<u8> {
        data_encoding::HEXLOWER.decode(hex.as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn connect_packets_of_other_implementations_are_understood() {
        let all = vectors("connect_packets");
        for case in all["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let mut input = bytes::BytesMut::from(&bytes(&case["output_hex"])[..]);
            let Ok(Some(wire::Packet::Connect(body))) = wire::decode(&mut input) else { panic!("{name}: no CONNECT") };
            let hello = read(body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            if !name.contains("realtime") {
                continue;
            }
            assert_eq!(hello.user_id, 12_345_678_901, "{name}");
            let expected = if name.contains("mautrix") { Numbering::SevenEight } else { Numbering::NineTen };
            assert_eq!(hello.numbering, expected, "{name}");
            assert!(hello.app_version.is_some(), "{name}");
            assert!(hello.topics.contains(&146), "{name}");
        }
    }

    #[test]
    fn connect_structs_of_other_implementations_are_read_to_the_end() {
        let all = vectors("thrift_connect_struct");
        for case in all["cases"].as_array().unwrap() {
            let Some(outputs) = case["outputs"].as_object() else { continue };
            for (peer, output) in outputs {
                // One peer writes a type byte after an empty map, which is no compact thrift.
                if case["name"] == "empty_map_present" && peer == "mautrix_instagram" {
                    continue;
                }
                let hex = if output.is_string() { output } else { &output["hex"] };
                if hex.is_string() {
                    assert!(thrift::read(&bytes(hex)).is_some(), "{} of {peer}", case["name"]);
                }
            }
        }
    }
}
