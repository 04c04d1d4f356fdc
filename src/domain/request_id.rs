//! Ids of outgoing requests, computed from what came in: doing a thing twice gives the same id twice.
//!
//! The functions are tagged `v1`, and each has a recorded value in the tests. Never change them silently: a row that was being sent
//! while the bridge was upgraded would be sent again under another id.

use data_encoding::BASE32_NOPAD;
use ruma::EventId;
use sha2::{Digest, Sha256};

use super::ids::{ClientContext, ItemId, PortalKey, RequestId, Timestamp};

/// The Matrix transaction id of one event made from an item.
///
/// Portal and sender belong in it: Synapse keys an appservice's transactions by path without the acting user, and
/// other homeservers without the room.
pub fn matrix_transaction(portal: &PortalKey, item: &ItemId, kind: &str, sender: &str, part: i64) -> RequestId {
    let receiver = portal.receiver.as_ref().map_or("", |login| login.as_str());
    let part = part.to_string();
    let digest = digest(&["v1", portal.thread.as_str(), receiver, item.as_str(), kind, sender, &part]);
    RequestId::new(BASE32_NOPAD.encode(&digest[..20]).to_ascii_lowercase())
}

/// The Matrix transaction id of something the bridge itself says about an inbox row.
pub fn notice_transaction(dedup_key: &str, kind: &str) -> RequestId {
    RequestId::new(BASE32_NOPAD.encode(&digest(&["v1", "notice", dedup_key, kind])[..20]).to_ascii_lowercase())
}

/// The id of what is done on Matrix for an inbox row that is no message: a reaction, a redaction, an edit.
pub fn row_transaction(dedup_key: &str, kind: &str, part: usize) -> RequestId {
    let digest = digest(&["v1", "row", dedup_key, kind, &part.to_string()]);
    RequestId::new(BASE32_NOPAD.encode(&digest[..20]).to_ascii_lowercase())
}

/// Names what an item says without telling it: equal for equal words, keyed against guessing.
pub fn digest_of_content(key: &[u8], words: &[String]) -> String {
    let key = data_encoding::HEXLOWER.encode(key);
    let fields: Vec<&str> = ["v1", "content", &key].into_iter().chain(words.iter().map(String::as_str)).collect();
    BASE32_NOPAD.encode(&digest(&fields)[..10]).to_ascii_lowercase()
}

/// Instagram's client context for one item made from a Matrix event: milliseconds in the upper bits, as the app does
/// it, and 22 bits of a hash in the lower ones, so that it is repeatable.
///
/// Assumption: the server does not compare the time part with its clock (docs/protocol.md).
pub fn client_context(event: &EventId, at: Timestamp, part: i64) -> ClientContext {
    let digest = digest(&["v1", event.as_str(), &part.to_string()]);
    let low = u64::from(u32::from_be_bytes([0, digest[0], digest[1], digest[2]]) & 0x3f_ffff);
    let high = u64::try_from(at.0).unwrap_or(0) & ((1 << 41) - 1);
    ClientContext::new(((high << 22) | low).to_string())
}

/// Time and random bytes from which an upload gets its name: the same for every attempt at one message.
pub fn upload_identity(context: &ClientContext) -> (Timestamp, [u8; 16]) {
    let number: u64 = context.as_str().parse().unwrap_or_default();
    let digest = digest(&["v1", "upload", context.as_str()]);
    let mut identity = [0; 16];
    identity.copy_from_slice(&digest[..16]);
    (Timestamp(i64::try_from(number >> 22).unwrap_or_default()), identity)
}

/// A client context for what is said once and never repeated: typing and receipts.
pub fn fresh_client_context(now: Timestamp) -> ClientContext {
    let high = u64::try_from(now.0).unwrap_or(0) & ((1 << 41) - 1);
    ClientContext::new((high << 22).to_string())
}

/// The local part of a portal's alias. It is keyed, so that nobody outside can compute which chats are bridged.
pub fn alias_localpart(prefix: &str, key: &[u8], portal: &PortalKey) -> String {
    let receiver = portal.receiver.as_ref().map_or("", |login| login.as_str());
    let key = data_encoding::HEXLOWER.encode(key);
    let digest = digest(&["v1", "alias", &key, portal.thread.as_str(), receiver]);
    format!("{prefix}{}", BASE32_NOPAD.encode(&digest[..15]).to_ascii_lowercase())
}

/// Each field is preceded by its length, so that no two lists of fields look alike.
fn digest(fields: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in fields {
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use ruma::event_id;

    use super::*;
    use crate::domain::ids::{LoginId, ThreadId};

    fn portal(receiver: Option<&str>) -> PortalKey {
        PortalKey {
            thread: ThreadId::new("340282366841710300949128000000000000001"),
            receiver: receiver.map(LoginId::new),
        }
    }

    #[test]
    fn transaction_ids_are_the_recorded_ones() {
        let item = ItemId::new("30076213210116812312341061613568001");
        let id = matrix_transaction(&portal(Some("12345678901")), &item, "message", "222333444", 0);
        assert_eq!(id.as_str(), "tdst2zeudesh3nqnft54fpjdxpg42pjz");
    }

    #[test]
    fn all_other_ids_are_the_recorded_ones() {
        let at = Timestamp(1_767_225_600_123);
        let context = client_context(event_id!("$abc"), at, 1);
        assert_eq!(context.as_str(), "7412281403499223887");
        let (named_at, name) = upload_identity(&context);
        assert_eq!(
            (named_at, data_encoding::HEXLOWER.encode(&name).as_str()),
            (at, "68bff9bc828929e005435c8a6e746fdf")
        );
        assert_eq!(fresh_client_context(at).as_str(), "7412281403498299392");
        assert_eq!(row_transaction("1/add/2", "edit", 3).as_str(), "67zchbzm6vugxwxeuoxmm7vy7foxcmtx");
        assert_eq!(notice_transaction("1/add/2", "refused").as_str(), "b3dor73phf7yoiqowuvwi7zlqw7rzc6f");
        let key = [7; 32];
        assert_eq!(alias_localpart("instagram_", &key, &portal(Some("1"))), "instagram_4vemzcvtknrwmh3nemeppjha");
        assert_eq!(alias_localpart("instagram_", &key, &portal(None)), "instagram_jroqyx2p6urnrb5ifh4lleei");
        assert_eq!(digest_of_content(&key, &["text".to_owned(), "hi".to_owned()]), "mqgq5td7xf55benr");
    }

    #[test]
    fn where_one_field_ends_counts() {
        let digest = |words: [&str; 2]| digest_of_content(b"key", &words.map(str::to_owned));
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }

    #[test]
    fn every_field_of_a_transaction_id_counts() {
        let item = ItemId::new("1");
        let base = matrix_transaction(&portal(Some("1")), &item, "message", "2", 0);
        for other in [
            matrix_transaction(&portal(None), &item, "message", "2", 0),
            matrix_transaction(&portal(Some("1")), &ItemId::new("2"), "message", "2", 0),
            matrix_transaction(&portal(Some("1")), &item, "reaction", "2", 0),
            matrix_transaction(&portal(Some("1")), &item, "message", "3", 0),
            matrix_transaction(&portal(Some("1")), &item, "message", "2", 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_client_context_carries_the_time_of_the_event() {
        let at = Timestamp(1_767_225_600_123);
        let context = client_context(event_id!("$abc"), at, 0);
        let number: u64 = context.as_str().parse().unwrap();
        assert_eq!(number >> 22, 1_767_225_600_123);
        assert_eq!(context, client_context(event_id!("$abc"), at, 0));
        assert_ne!(context, client_context(event_id!("$abc"), at, 1));
        assert_ne!(context, client_context(event_id!("$abd"), at, 0));
    }

    #[test]
    fn an_absurd_time_still_gives_a_positive_number() {
        for at in [i64::MIN, -1, i64::MAX] {
            let context = client_context(event_id!("$abc"), Timestamp(at), 0);
            assert!(context.as_str().parse::<i64>().unwrap() >= 0);
        }
    }
}
