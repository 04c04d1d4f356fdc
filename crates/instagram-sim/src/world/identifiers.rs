//! Numbers and tokens as Instagram's look: item ids that grow with time, 39-digit threads, session cookies.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::clock;

pub(crate) struct Identifiers {
    last_us: i64,
    born_ms: u64,
    items: u64,
    threads: u64,
    accounts: u64,
    tokens: u64,
    entropy: RandomState,
}

impl Identifiers {
    pub(crate) fn new() -> Identifiers {
        let born_ms = (clock::now_us() / 1000) as u64;
        Identifiers { last_us: 0, born_ms, items: 0, threads: 0, accounts: 0, tokens: 0, entropy: RandomState::new() }
    }

    /// The time in microseconds; never the same value twice, never backwards.
    pub(crate) fn timestamp_us(&mut self) -> i64 {
        self.last_us = clock::now_us().max(self.last_us + 1);
        self.last_us
    }

    /// 35 digits that grow with the timestamp.
    pub(crate) fn item(&mut self, timestamp_us: i64) -> String {
        self.items += 1;
        let base: u128 = 30_000_000_000_000_000_000_000_000_000_000_000;
        let time = timestamp_us.unsigned_abs() as u128 * 10_000_000_000_000_000;
        (base + time + u128::from(self.items)).to_string()
    }

    /// A 39-digit thread id and its 17-digit sibling.
    pub(crate) fn thread(&mut self) -> (String, String) {
        self.threads += 1;
        let unique = (self.born_ms % 10_000_000_000) * 100_000 + self.threads;
        (
            format!("340282366841710300949128{unique:015}"),
            (17_800_000_000_000_000 + unique % 100_000_000_000_000).to_string(),
        )
    }

    pub(crate) fn account(&mut self) -> u64 {
        self.accounts += 1;
        50_000_000_000 + self.accounts * 7_919
    }

    pub(crate) fn sessionid(&mut self, pk: u64) -> String {
        let (first, second) = (self.token(14), self.token(44));
        format!("{pk}%3A{first}%3A{}%3AAY{second}", 1 + self.tokens % 28)
    }

    /// A random number of so many bits.
    pub(crate) fn number(&mut self, bits: u32) -> u64 {
        self.tokens += 1;
        let mut hasher = self.entropy.build_hasher();
        hasher.write_u64(self.tokens);
        hasher.finish() >> (64 - bits)
    }

    /// Letters and digits nobody can guess; each call gives others.
    pub(crate) fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let mut token = String::with_capacity(length);
        while token.len() < length {
            let mut bits = self.number(63);
            for _ in 0..8 {
                if token.len() < length {
                    token.push(char::from(LETTERS[(bits % 62) as usize]));
                    bits /= 62;
                }
            }
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_lengths_of_the_real_ones_and_items_grow() {
        let mut ids = Identifiers::new();
        let (thread, v2) = ids.thread();
        assert_eq!((thread.len(), v2.len()), (39, 17));
        let (first, second) = (ids.timestamp_us(), ids.timestamp_us());
        assert!(first < second);
        let (first, second) = (ids.item(first), ids.item(second));
        assert_eq!(first.len(), 35);
        assert!(first < second);
        assert_ne!(ids.sessionid(1), ids.sessionid(1));
    }
}
