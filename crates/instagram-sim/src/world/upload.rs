//! Uploads of attachments: what has come so far, under which name, and what became of it.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use serde::Serialize;

use crate::{cdn::content::Content, digest::Digest, probe::probe};

/// Larger uploads are only counted and hashed.
const KEPT: u64 = 8 * 1024 * 1024;

/// One upload, whole or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upload {
    /// Whose it is.
    pub pk: u64,
    /// First part of the path, for example `messenger_image`.
    pub kind: String,
    /// Second part of the path.
    pub entity: String,
    /// Bytes it is to have.
    pub length: u64,
    /// Bytes that have come.
    pub received: u64,
    /// SHA-256 of what has come, lower-case hexadecimal digits.
    pub sha256: String,
    /// The media type that the client claims.
    pub content_type: String,
    /// The media type that the bytes claim; empty if they were too many to be kept.
    pub detected: String,
    /// What broadcasts call it, once it is whole.
    pub media_id: Option<String>,
    /// How many requests brought bytes.
    pub requests: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UploadName {
    pub(crate) pk: u64,
    pub(crate) kind: String,
    pub(crate) entity: String,
}

struct Progress {
    length: u64,
    received: u64,
    digest: Digest,
    /// `None` once it is too large.
    kept: Option<BytesMut>,
    content_type: String,
    media_id: Option<String>,
    requests: u32,
}

#[derive(Default)]
pub(crate) struct Uploads {
    all: HashMap<UploadName, Progress>,
    /// In the order they began.
    names: Vec<UploadName>,
    media: HashMap<String, (UploadName, Content)>,
}

/// Why bytes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadRefusal {
    /// They do not follow on what is there.
    Offset { expected: u64 },
    /// More than announced.
    TooLong,
}

impl Uploads {
    /// How many bytes are there already.
    pub(crate) fn offset(&self, name: &UploadName) -> u64 {
        self.all.get(name).map_or(0, |progress| progress.received)
    }

    /// Begins or goes on. Offset 0 begins anew, whatever there is.
    pub(crate) fn begin(
        &mut self,
        name: &UploadName,
        offset: u64,
        length: u64,
        content_type: &str,
    ) -> Result<(), UploadRefusal> {
        let there = self.all.get(name).filter(|progress| progress.length == length);
        let requests = self.all.get(name).map_or(0, |progress| progress.requests) + 1;
        match there {
            Some(progress) if offset == progress.received && offset > 0 => {}
            _ if offset == 0 => {
                let progress = Progress {
                    length,
                    received: 0,
                    digest: Digest::new(),
                    kept: (length <= KEPT).then(BytesMut::new),
                    content_type: content_type.to_owned(),
                    media_id: None,
                    requests,
                };
                if self.all.insert(name.clone(), progress).is_none() {
                    self.names.push(name.clone());
                }
            }
            _ => return Err(UploadRefusal::Offset { expected: self.offset(name) }),
        }
        if let Some(progress) = self.all.get_mut(name) {
            progress.requests = requests;
        }
        Ok(())
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, name: &UploadName, bytes: &[u8]) -> Result<(), UploadRefusal> {
        let Some(progress) = self.all.get_mut(name) else { return Err(UploadRefusal::Offset { expected: 0 }) };
        if progress.received + bytes.len() as u64 > progress.length {
            return Err(UploadRefusal::TooLong);
        }
        progress.received += bytes.len() as u64;
        progress.digest.update(bytes);
        if let Some(kept) = &mut progress.kept {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// The media id, if everything has come; `fresh` is the number to use if it has none yet.
    pub(crate) fn finish(&mut self, name: &UploadName, fresh: u64) -> Option<String> {
        let progress = self.all.get_mut(name).filter(|progress| progress.received == progress.length)?;
        if progress.media_id.is_none() {
            let id = (17_900_000_000_000_000 + fresh).to_string();
            let content = match &progress.kept {
                Some(kept) => Content::Held(Bytes::copy_from_slice(kept)),
                None => Content::Lost { size: progress.length },
            };
            self.media.insert(id.clone(), (name.clone(), content));
            progress.media_id = Some(id);
        }
        progress.media_id.clone()
    }

    /// A whole upload of an account: kind, content and media type.
    pub(crate) fn media(&self, pk: u64, media_id: &str) -> Option<(&str, &Content, &str)> {
        let (name, content) = self.media.get(media_id).filter(|(name, _)| name.pk == pk)?;
        Some((&name.kind, content, &self.all.get(name)?.content_type))
    }

    /// The bytes of a whole upload, if they were few enough to be kept.
    pub(crate) fn bytes(&self, media_id: &str) -> Option<Bytes> {
        match self.media.get(media_id) {
            Some((_, Content::Held(bytes))) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// All of them, in the order they began.
    pub(crate) fn list(&self) -> Vec<Upload> {
        self.names
            .iter()
            .filter_map(|name| Some((name, self.all.get(name)?)))
            .map(|(name, one)| one.shown(name))
            .collect()
    }
}

impl Progress {
    fn shown(&self, name: &UploadName) -> Upload {
        Upload {
            pk: name.pk,
            kind: name.kind.clone(),
            entity: name.entity.clone(),
            length: self.length,
            received: self.received,
            sha256: self.digest.hex(),
            content_type: self.content_type.clone(),
            detected: self.kept.as_deref().map(|bytes| probe(bytes).content_type.to_owned()).unwrap_or_default(),
            media_id: self.media_id.clone(),
            requests: self.requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_goes_on_where_it_was_and_begins_anew_at_nought() {
        let mut uploads = Uploads::default();
        let name = UploadName { pk: 1, kind: "messenger_image".into(), entity: "e".into() };
        uploads.begin(&name, 0, 4, "image/jpeg").unwrap();
        uploads.add(&name, b"ab").unwrap();
        assert_eq!((uploads.offset(&name), uploads.finish(&name, 1)), (2, None));
        assert_eq!(uploads.begin(&name, 1, 4, ""), Err(UploadRefusal::Offset { expected: 2 }));
        uploads.begin(&name, 2, 4, "").unwrap();
        assert_eq!(uploads.add(&name, b"cde"), Err(UploadRefusal::TooLong));
        uploads.add(&name, b"cd").unwrap();
        let id = uploads.finish(&name, 1).unwrap();
        assert_eq!((uploads.finish(&name, 2), uploads.bytes(&id)), (Some(id.clone()), Some("abcd".into())));
        assert!(uploads.media(2, &id).is_none(), "another account's");
        uploads.begin(&name, 0, 4, "").unwrap();
        assert_eq!(uploads.offset(&name), 0);
    }
}
