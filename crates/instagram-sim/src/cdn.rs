//! The media host: its files, their signed addresses that expire, and what is wrong with them.
//!
//! Data only; `api::media` serves it.

use std::collections::HashMap;

use flate2::Crc;
use serde::Serialize;
use serde_json::Value;

pub(crate) mod content;
pub(crate) mod fault;

use self::{
    content::Content,
    fault::{MediaFault, MediaFaults},
};
use crate::clock;

/// How long an address is good, in seconds.
const LIFETIME: i64 = 7 * 24 * 3600;
/// Directory of message media on the host.
const DIRECTORY: &str = "/v/t1.15752-9/";

/// What is known of one file of the media host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MediaDetails {
    /// The address that is good now.
    pub url: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, lower-case hexadecimal digits.
    pub sha256: String,
    /// The media type it is served as.
    pub content_type: String,
    /// How often it was asked for, refusals included.
    pub requests: u64,
}

#[derive(Debug)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) content_type: String,
    /// Addresses of earlier generations have expired.
    generation: u32,
    expires_at: i64,
    faults: MediaFaults,
    requests: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Cdn {
    /// `https://host:port`, as every address begins.
    pub(crate) base: String,
    files: HashMap<String, File>,
    faults: MediaFaults,
    made: u64,
}

/// What a request for a file comes to.
#[derive(Debug)]
pub(crate) enum Served {
    /// The file, spoilt by the fault if there is one.
    File {
        content: Content,
        content_type: String,
        fault: Option<MediaFault>,
    },
    /// The address is not, or no longer, one of the host's.
    Refused(&'static str),
    Missing,
}

impl Cdn {
    /// Adds a file; the answer is its path.
    pub(crate) fn add(&mut self, content: Content, content_type: &str) -> String {
        self.made += 1;
        let ending = match content_type {
            "image/jpeg" => "jpg",
            "image/png" => "png",
            "image/webp" => "webp",
            "image/gif" => "gif",
            "video/mp4" => "mp4",
            "audio/mp4" => "m4a",
            _ => "bin",
        };
        let number = 490_000_000_000_000 + self.made * 7_919;
        let path = format!("{DIRECTORY}{number}_{}_n.{ending}", self.made);
        let file = File {
            content,
            content_type: content_type.to_owned(),
            generation: 1,
            expires_at: clock::now_us() / 1_000_000 + LIFETIME,
            faults: MediaFaults::default(),
            requests: 0,
        };
        self.files.insert(path.clone(), file);
        path
    }

    /// Adds a file; the answer is its address.
    pub(crate) fn add_address(&mut self, content: Content, content_type: &str) -> String {
        let path = self.add(content, content_type);
        self.address(&path).unwrap_or_default()
    }

    /// The address of a file that is good now.
    pub(crate) fn address(&self, path: &str) -> Option<String> {
        let file = self.files.get(path)?;
        Some(format!("{}{path}?{}", self.base, query(path, file.generation, file.expires_at)))
    }

    /// The path of one of the host's files in an address, whatever its query.
    pub(crate) fn path_in<'a>(&self, url: &'a str) -> Option<&'a str> {
        if self.base.is_empty() {
            return None;
        }
        let path = url.strip_prefix(self.base.as_str())?.split('?').next()?;
        self.files.contains_key(path).then_some(path)
    }

    /// The address that is good now for a file that an address names. `None` if it is not one of the host's.
    pub(crate) fn renewed(&self, url: &str) -> Option<String> {
        self.address(self.path_in(url)?)
    }

    fn file_mut(&mut self, url: &str) -> Option<&mut File> {
        let path = self.path_in(url)?.to_owned();
        self.files.get_mut(&path)
    }

    /// Ends all addresses of a file so far. Says whether there is such a file.
    pub(crate) fn expire(&mut self, url: &str) -> bool {
        self.file_mut(url).map(File::expire).is_some()
    }

    /// Ends all addresses of all files so far.
    pub(crate) fn expire_all(&mut self) {
        self.files.values_mut().for_each(File::expire);
    }

    /// Spoils the next `times` answers for a file, or for any file. Says whether there is such a file.
    pub(crate) fn spoil(&mut self, url: Option<&str>, fault: MediaFault, times: u32) -> bool {
        let faults = match url {
            None => Some(&mut self.faults),
            Some(url) => self.file_mut(url).map(|file| &mut file.faults),
        };
        faults.map(|faults| faults.add(fault, times)).is_some()
    }

    pub(crate) fn clear_faults(&mut self) {
        self.faults = MediaFaults::default();
        self.files.values_mut().for_each(|file| file.faults = MediaFaults::default());
    }

    /// What is known of the file that an address names.
    pub(crate) fn file(&self, url: &str) -> Option<(&File, String)> {
        let path = self.path_in(url)?;
        Some((self.files.get(path)?, self.address(path)?))
    }

    /// Answers a request. The query is compared byte by byte, as it came: whoever encodes it again is refused.
    pub(crate) fn serve(&mut self, path: &str, given: &str) -> Served {
        let Some(file) = self.files.get_mut(path) else { return Served::Missing };
        file.requests += 1;
        if given != query(path, file.generation, file.expires_at) {
            let old = is_earlier(path, given, file.generation);
            return Served::Refused(if old { "URL signature expired" } else { "URL signature mismatch" });
        }
        if clock::now_us() / 1_000_000 > file.expires_at {
            file.expire();
            return Served::Refused("URL signature expired");
        }
        let fault = file.faults.take().or_else(|| self.faults.take());
        if fault == Some(MediaFault::Expired) {
            file.expire();
            return Served::Refused("URL signature expired");
        }
        Served::File { content: file.content.clone(), content_type: file.content_type.clone(), fault }
    }
}

impl File {
    fn expire(&mut self) {
        self.generation += 1;
        self.expires_at = clock::now_us() / 1_000_000 + LIFETIME;
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

fn is_earlier(path: &str, given: &str, generation: u32) -> bool {
    (1..generation).any(|earlier| given.contains(&signature(path, earlier)))
}

/// The signed query of one generation of addresses. It holds a slash and an encoded equals sign, which change if it is
/// taken apart and put together again.
fn query(path: &str, generation: u32, expires_at: i64) -> String {
    let signature = signature(path, generation);
    format!(
        "stp=dst-jpg_s640x640&_nc_cat=100&ccb=1-7&_nc_sid=18de74&efg=eyJ1IjoxfQ%3D%3D&_nc_ohc=g{generation}Ab&_nc_zt=23&oh={signature}&oe={expires_at:08X}"
    )
}

fn signature(path: &str, generation: u32) -> String {
    let mut crc = Crc::new();
    crc.update(path.as_bytes());
    crc.update(&generation.to_be_bytes());
    let first = crc.sum();
    crc.update(b"media");
    format!("00_AY/{first:08x}{:08x}", crc.sum())
}

/// Every address of the media host inside a value.
pub(crate) fn addresses(cdn: &Cdn, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if cdn.path_in(text).is_some() => found.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|one| addresses(cdn, one, found)),
        Value::Object(all) => all.values().for_each(|one| addresses(cdn, one, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> (Cdn, String) {
        let mut cdn = Cdn { base: "https://127.0.0.1:1".into(), ..Cdn::default() };
        let url = cdn.add_address(Content::Held("x".into()), "image/jpeg");
        (cdn, url)
    }

    fn ask(cdn: &mut Cdn, url: &str) -> Served {
        let (path, query) = url.strip_prefix("https://127.0.0.1:1").unwrap().split_once('?').unwrap();
        cdn.serve(path, query)
    }

    #[test]
    fn an_address_is_good_as_it_is_and_no_other_way() {
        let (mut cdn, url) = host();
        assert!(matches!(ask(&mut cdn, &url), Served::File { .. }));
        for spoilt in
            [url.replace("AY/", "AY%2F"), url.replace("%3D", "="), url.replace("%3D", "%3d"), url.clone() + "&"]
        {
            assert!(matches!(ask(&mut cdn, &spoilt), Served::Refused("URL signature mismatch")));
        }
    }

    #[test]
    fn an_expired_address_is_refused_and_the_new_one_is_good() {
        let (mut cdn, url) = host();
        cdn.spoil(Some(&url), MediaFault::Expired, 1);
        assert!(matches!(ask(&mut cdn, &url), Served::Refused("URL signature expired")));
        assert!(matches!(ask(&mut cdn, &url), Served::Refused("URL signature expired")));
        let renewed = cdn.renewed(&url).unwrap();
        assert_ne!(renewed, url);
        assert!(matches!(ask(&mut cdn, &renewed), Served::File { fault: None, .. }));
        assert_eq!(cdn.renewed("https://example.com/v/t1.15752-9/x"), None);
    }
}
