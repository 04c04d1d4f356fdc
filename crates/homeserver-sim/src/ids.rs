//! Random ids in the shapes that homeservers use.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Random text that is safe in ids and addresses.
pub(crate) fn random(sigil: &str, length: usize) -> String {
    let mut id = String::with_capacity(sigil.len() + length);
    id.push_str(sigil);
    let mut bits = 0_u64;
    for index in 0..length {
        if index % 10 == 0 {
            bits = fastrand::u64(..);
        }
        id.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
    id
}
