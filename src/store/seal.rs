//! Sealing of credentials before they reach the database: ChaCha20-Poly1305 with a key from the configuration.
//!
//! A sealed value is one version byte, a random nonce, and the ciphertext with its tag. What the value is and whose it
//! is takes part in the seal, so a value copied to another login's row does not open.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::error::StoreError;

const VERSION: u8 = 1;

/// The key that seals credentials.
#[derive(Clone)]
pub struct SealKey(LessSafeKey);

impl SealKey {
    /// Uses these 32 bytes, which must be secret and random.
    pub fn new(bytes: [u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &bytes).expect("the algorithm takes 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals a value for a purpose and an owner.
    pub(crate) fn seal(&self, purpose: &str, owner: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        let no_randomness = |_| StoreError::Unavailable("the system gives no random numbers".to_owned());
        SystemRandom::new().fill(&mut nonce).map_err(no_randomness)?;
        let mut text = plain.to_vec();
        let context = Aad::from(context(purpose, owner));
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), context, &mut text)
            .map_err(|_| StoreError::Refused("the value is too long to be sealed".to_owned()))?;
        Ok([&[VERSION], nonce.as_slice(), &text].concat())
    }

    /// Opens a sealed value; none if the key, the purpose or the owner is another one, or the value was changed.
    pub(crate) fn open(&self, purpose: &str, owner: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&version, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        if version != VERSION {
            return None;
        }
        let mut text = text.to_vec();
        let context = Aad::from(context(purpose, owner));
        let plain = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), context, &mut text).ok()?.len();
        text.truncate(plain);
        Some(text)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(redacted)")
    }
}

fn context(purpose: &str, owner: &str) -> Vec<u8> {
    format!("puppetgram\0{VERSION}\0{purpose}\0{owner}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::SealKey;

    #[test]
    fn only_the_same_key_purpose_and_owner_open_an_unchanged_value() {
        let key = SealKey::new([1; 32]);
        let sealed = key.seal("session", "7", b"secret").unwrap();

        assert_eq!(key.open("session", "7", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(SealKey::new([2; 32]).open("session", "7", &sealed), None);
        assert_eq!(key.open("token", "7", &sealed), None);
        assert_eq!(key.open("session", "8", &sealed), None);
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert_eq!(key.open("session", "7", &changed), None, "byte {place}");
            assert_eq!(key.open("session", "7", &sealed[..place]), None);
        }
    }
}
