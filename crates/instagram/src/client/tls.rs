//! The TLS configuration shared by HTTP and realtime connections.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use thiserror::Error;

/// Why there is no TLS configuration.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The extra file is not PEM, or holds no certificate.
    #[error("the CA file holds no readable PEM certificate: {0}")]
    CaFile(String),
    /// The roots of the operating system cannot be used.
    #[error("the trusted certificates of the operating system cannot be loaded: {0}")]
    Roots(rustls::Error),
}

/// TLS 1.2 or newer, verified against the roots of the operating system and the certificates of an extra PEM file.
///
/// No ALPN: the realtime server speaks none, and the HTTP client sets its own.
pub fn client_config(extra_ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, TlsError> {
    let extra = match extra_ca_pem {
        None => Vec::new(),
        Some(pem) => certificates(pem)?,
    };
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider)).map_err(TlsError::Roots)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Roots)?
        .dangerous() // The name of the door to any verifier; this one is as strict as the operating system's.
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::CaFile(error.to_string()))?;
    if certificates.is_empty() {
        return Err(TlsError::CaFile("nothing found".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_an_error_that_says_so() {
        for pem in [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            let error = client_config(Some(pem)).unwrap_err();
            assert!(matches!(error, TlsError::CaFile(_)), "{error}");
        }
    }
}
