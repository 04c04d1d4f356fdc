//! The media host: files, addresses, what is wrong with them. And what was uploaded.

use bytes::Bytes;
use serde_json::Value;

use super::RawItem;
use crate::{
    cdn::{MediaDetails, addresses, content::Content, fault::MediaFault},
    error::SimError,
    sim::Sim,
    world::upload::Upload,
};

impl Sim {
    /// Puts a file on the media host; the answer is its signed address.
    pub fn add_media(&self, bytes: impl Into<Bytes>, content_type: &str) -> String {
        self.shared.act(|world| world.cdn.add_address(Content::Held(bytes.into()), content_type))
    }

    /// Puts a file of so many bytes on the media host that is made as it is read. It begins with a real file of its
    /// type, where there is a [sample](crate::sample), so that programs take it for one.
    pub fn add_generated_media(&self, size: u64, content_type: &str) -> String {
        self.shared.act(|world| {
            let seed = world.ids.number(32);
            world.cdn.add_address(Content::made(size, content_type, seed), content_type)
        })
    }

    /// What is known of a file, by any of its addresses. Reads the whole file for its hash.
    pub fn media_details(&self, url: &str) -> Result<MediaDetails, SimError> {
        let (content, mut details) = self.shared.look(|world| {
            let (file, url) = world.cdn.file(url).ok_or(SimError::UnknownMedia)?;
            let details = MediaDetails {
                url,
                size: file.content.size(),
                sha256: String::new(),
                content_type: file.content_type.clone(),
                requests: file.requests(),
            };
            Ok::<_, SimError>((file.content.clone(), details))
        })?;
        details.sha256 = content.sha256();
        Ok(details)
    }

    /// Every address of the media host inside an item, in the order of its fields.
    pub fn media_addresses(&self, item: &RawItem) -> Vec<String> {
        let mut found = Vec::new();
        self.shared.look(|world| addresses(&world.cdn, &Value::Object(item.clone()), &mut found));
        found
    }

    /// Ends all addresses of a file so far: they are answered 403, and reading the thread again gives another.
    pub fn expire_media(&self, url: &str) -> Result<(), SimError> {
        if self.shared.act(|world| world.cdn.expire(url)) { Ok(()) } else { Err(SimError::UnknownMedia) }
    }

    /// Ends all addresses of all files so far.
    pub fn expire_all_media(&self) {
        self.shared.act(|world| world.cdn.expire_all());
    }

    /// Spoils the next `times` answers for a file, by any of its addresses; `u32::MAX` for as good as ever.
    pub fn spoil_media(&self, url: &str, fault: MediaFault, times: u32) -> Result<(), SimError> {
        let known = self.shared.act(|world| world.cdn.spoil(Some(url), fault, times));
        if known { Ok(()) } else { Err(SimError::UnknownMedia) }
    }

    /// Spoils the next `times` answers of the media host, whatever the file. Faults of the file itself come first.
    pub fn spoil_all_media(&self, fault: MediaFault, times: u32) {
        self.shared.act(|world| world.cdn.spoil(None, fault, times));
    }

    /// Forgets all faults of the media host that have not happened yet.
    pub fn clear_media_faults(&self) {
        self.shared.act(|world| world.cdn.clear_faults());
    }

    /// All uploads, in the order they began, whole or not.
    pub fn uploads(&self) -> Vec<Upload> {
        self.shared.look(|world| world.uploads.list())
    }

    /// The bytes of a whole upload; `None` if there is no such or it was larger than 8 MiB.
    pub fn upload_bytes(&self, media_id: &str) -> Option<Bytes> {
        self.shared.look(|world| world.uploads.bytes(media_id))
    }
}
