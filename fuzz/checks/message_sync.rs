//! No bytes make the decoding of a sync event panic or recurse without bound, and patches survive storage.

use instagram::item::Item;
use instagram::sync::{Change, Patch, decode};

/// Panics when decoding misbehaves on `payload`.
pub(crate) fn check(payload: &[u8]) {
    let Ok(envelopes) = decode(payload) else { return };
    for patch in envelopes.iter().flat_map(|envelope| &envelope.patches) {
        let stored = serde_json::to_string(patch).expect("a patch is plain text");
        let loaded: Patch = serde_json::from_str(&stored).expect("a stored patch is readable");
        assert_eq!(*patch, loaded);
        match patch.decode() {
            Change::Item { item, .. } => describe(&item),
            Change::Thread(thread) => {
                let _ = (thread.name().map(str::len), thread.link().len());
                thread.items.iter().for_each(describe);
                for user in &thread.users {
                    let _ = (user.name().len(), user.picture_key().map(str::len));
                }
            }
            _ => {}
        }
    }
}

fn describe(item: &Item) {
    assert!(!item.summary().is_empty());
    assert!(item.best_link().is_none_or(|link| link.starts_with("http")));
    let _ = (item.best_text(), item.client_contexts().len(), item.content());
}
