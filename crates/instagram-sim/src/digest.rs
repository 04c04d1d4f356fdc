//! SHA-256 of what passes through, taken from the TLS library.

use data_encoding::HEXLOWER;
use rustls::crypto::{hash, ring::cipher_suite::TLS13_AES_128_GCM_SHA256};

/// A running hash.
pub(crate) struct Digest(Option<Box<dyn hash::Context>>);

impl Digest {
    pub(crate) fn new() -> Digest {
        Digest(TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider.start()))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        if let Some(context) = &mut self.0 {
            context.update(bytes);
        }
    }

    /// Lower-case hexadecimal digits of what came so far.
    pub(crate) fn hex(&self) -> String {
        self.0.as_ref().map(|context| HEXLOWER.encode(context.fork_finish().as_ref())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256() {
        let mut digest = Digest::new();
        digest.update(b"a");
        digest.update(b"bc");
        assert_eq!(digest.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
