//! Payloads: zlib, envelopes as JSON, and the broken ones that faults ask for.

use std::{cell::RefCell, fmt::Write, io::Read};

use flate2::{Compress, Compression, FlushCompress, Status, read::ZlibDecoder};
use serde_json::json;

use crate::{clock, world::queue::Envelope};

/// Largest payload of a client, inflated.
const LIMIT: u64 = 32 * 1024 * 1024;

thread_local! {
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), true));
}

/// One zlib stream.
pub(crate) fn deflate(plain: &[u8]) -> Vec<u8> {
    COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        let mut out = Vec::with_capacity(plain.len() / 2 + 128);
        loop {
            let consumed = compress.total_in() as usize;
            let rest = plain.get(consumed..).unwrap_or_default();
            match compress.compress_vec(rest, &mut out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) | Err(_) => return out,
                Ok(_) => out.reserve(out.len().max(1024)),
            }
        }
    })
}

/// A client's payload, inflated if it is zlib, as it is otherwise. `None` if it is broken or too large.
pub(crate) fn inflate(payload: &[u8]) -> Option<Vec<u8>> {
    if payload.first() != Some(&0x78) {
        return Some(payload.to_vec());
    }
    let mut plain = Vec::with_capacity(payload.len() * 3);
    ZlibDecoder::new(payload).take(LIMIT + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= LIMIT).then_some(plain)
}

/// The JSON array of topic 146. `replayed` are those up to that number.
pub(super) fn envelopes(all: &[Envelope], replayed: i64) -> String {
    let mut text = String::with_capacity(all.iter().map(|one| one.data.len() + 160).sum::<usize>() + 2);
    text.push('[');
    for (index, envelope) in all.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let token = match &envelope.mutation_token {
            Some(token) => serde_json::to_string(&**token).unwrap_or_else(|_| "null".into()),
            None => "null".into(),
        };
        let (data, seq_id, realtime) = (&envelope.data, envelope.seq_id, envelope.seq_id > replayed);
        write!(
            text,
            r#"{{"event":"patch","data":{data},"message_type":1,"seq_id":{seq_id},"mutation_token":{token},"realtime":{realtime}}}"#
        )
        .expect("writing to memory does not fail");
    }
    text.push(']');
    text
}

/// The envelope with undecodable patches put before its own.
pub(super) fn with_bad_patches(envelope: &Envelope) -> Envelope {
    let thread = "340282366841710300949128000000000000009";
    let bad = json!([
        { "op": "add", "path": format!("/direct_v2/threads/{thread}/items/1"), "value": "{\"item_id\":" },
        { "op": "add", "path": format!("/direct_v2/threads/{thread}/items/2"), "value": "[1,2]" },
        { "op": "warp", "path": "/nobody/knows/this", "value": "7" },
        { "op": "replace", "path": 12, "value": { "an": "object" } },
        "not an object",
    ])
    .to_string();
    let own = envelope.data.trim_start_matches('[');
    let data = format!("{},{own}", bad.trim_end_matches(']'));
    Envelope { data: data.into(), ..envelope.clone() }
}

/// An array whose one envelope inflates to about `bytes` and changes nothing.
pub(super) fn huge(bytes: usize, seq_id: i64) -> String {
    let padding = "a".repeat(bytes);
    format!(
        r#"[{{"event":"patch","data":[{{"op":"replace","path":"/direct_v2/inbox/padding","value":"\"{padding}\""}}],"message_type":1,"seq_id":{seq_id},"mutation_token":null,"realtime":true}}]"#
    )
}

/// Brackets inside brackets, as the payload and as a patch's value.
pub(super) fn deep(depth: usize, seq_id: i64) -> [String; 2] {
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let path = "/direct_v2/threads/340282366841710300949128000000000000009/items/3";
    let value = format!(
        r#"[{{"event":"patch","data":[{{"op":"add","path":"{path}","value":"{nested}"}}],"message_type":1,"seq_id":{seq_id}}}]"#
    );
    [nested, value]
}

/// The patch that shows somebody typing, as it travels on topics 149 and 88.
pub(super) fn typing(thread: &str, sender: u64, active: bool, at_us: i64) -> String {
    let value = json!({
        "timestamp": at_us,
        "sender_id": sender.to_string(),
        "ttl": 12_000,
        "activity_status": i32::from(active),
    });
    let path = format!("/direct_v2/threads/{thread}/activity_indicator_id/{}", at_us as u64 * 4096 + sender % 4096);
    json!({
        "event": "patch",
        "data": [{ "op": "add", "path": path, "value": value.to_string(), "doublePublish": true }],
        "lazy": false,
        "publish_metadata": { "topic_publish_id": -464_472_131_099_755_812_i64, "publish_time_ms": clock::now_us() / 1000 },
        "num_endpoints": 1,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deflated_inflates_again() {
        for size in [0, 1, 100, 100_000, 3_000_000] {
            let plain: Vec<u8> = (0..size).map(|index: usize| (index * index % 251) as u8).collect();
            assert_eq!(inflate(&deflate(&plain)).unwrap(), plain);
        }
    }

    #[test]
    fn an_envelope_with_bad_patches_is_json_and_keeps_its_own_last() {
        let own = r#"[{"op":"add","path":"/x"}]"#;
        let envelope = Envelope { seq_id: 5, data: own.into(), mutation_token: Some("t".into()), not_before_us: 0 };
        let text = envelopes(&[with_bad_patches(&envelope)], 0);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0]["data"].as_array().unwrap().last().unwrap()["path"], "/x");
        assert_eq!(value[0]["mutation_token"], "t");
    }
}
