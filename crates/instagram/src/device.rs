//! The pretended phone of a login: made once, stored, never changed. A login that changes its device is challenged.
//!
//! Whoever knows these ids can skip two-factor authentication after a logout, so `Debug` hides them.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Builder;

/// Identifies one installation of the app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `android-` and 16 hexadecimal digits.
    pub android_id: String,
    /// `_uuid`, `guid` and `X-IG-Device-ID`.
    pub uuid: String,
    /// Also the client identifier of the realtime connection.
    pub phone_id: String,
    /// `X-IG-Family-Device-ID`.
    pub family_device_id: String,
    /// Sent at login.
    pub advertising_id: String,
    /// Such as `en_US`.
    pub locale: String,
    /// Seconds east of UTC.
    pub timezone_offset: i32,
    /// The app's version record.
    pub app: AppVersion,
    /// The middle part of the user agent: Android version, screen, model.
    pub descriptor: String,
}

/// Version, version code and Bloks id of one release of the app. They must match each other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppVersion {
    /// Such as `428.0.0.47.67`.
    pub version: String,
    /// The store's number of that version and processor.
    pub version_code: String,
    /// Version of the server-driven interface.
    pub bloks_id: String,
}

impl Default for AppVersion {
    /// The release that instagrapi 2.18.17 presents by default.
    fn default() -> Self {
        Self {
            version: "428.0.0.47.67".to_owned(),
            version_code: "961145276".to_owned(),
            bloks_id: "7189b949425f9bf80ea8bd880cf5a3080b292d9b1c4b38a18d112f7c4b71e7a8".to_owned(),
        }
    }
}

impl Device {
    /// Makes an identity from randomness: the same seed always gives the same device.
    pub fn from_random(seed: [u8; 32]) -> Self {
        let hex = data_encoding::HEXLOWER.encode(&derive(&seed, "android_id")[..8]);
        Self {
            android_id: format!("android-{hex}"),
            uuid: derive_uuid(&seed, "uuid"),
            phone_id: derive_uuid(&seed, "phone_id"),
            family_device_id: derive_uuid(&seed, "family_device_id"),
            advertising_id: derive_uuid(&seed, "advertising_id"),
            locale: "en_US".to_owned(),
            timezone_offset: 0,
            app: AppVersion::default(),
            descriptor: "34/14; 480dpi; 1344x2992; Google/google; Pixel 8 Pro; husky; husky".to_owned(),
        }
    }

    /// The app's user agent.
    pub fn user_agent(&self) -> String {
        let AppVersion { version, version_code, .. } = &self.app;
        format!("Instagram {version} Android ({}; {}; {version_code})", self.descriptor, self.locale)
    }

    /// The locale as HTTP writes it: `en-US`.
    pub fn accept_language(&self) -> String {
        self.locale.replace('_', "-")
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device(app {})", self.app.version)
    }
}

/// A version 4 UUID that is a function of `seed` and `label`.
pub(crate) fn derive_uuid(seed: &[u8], label: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&derive(seed, label)[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn derive(seed: &[u8], label: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed).chain_update(label).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_device_forever() {
        let device = Device::from_random([7; 32]);
        assert_eq!(device, Device::from_random([7; 32]));
        assert_ne!(device.uuid, Device::from_random([8; 32]).uuid);
        // SHA-256 of the seed and the label, computed elsewhere.
        assert_eq!(device.android_id, "android-b46f2d66de8157b8");
        let ids = [&device.uuid, &device.phone_id, &device.family_device_id, &device.advertising_id];
        for (place, one) in ids.iter().enumerate() {
            assert!(ids[place + 1..].iter().all(|other| one != other));
        }
    }

    #[test]
    fn a_device_survives_storage_and_hides_itself() {
        let device = Device::from_random([1; 32]);
        let json = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
        assert!(!format!("{device:?}").contains(&device.uuid));
    }
}
