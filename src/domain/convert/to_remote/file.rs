//! Messages that carry a file, and messages that become text because Instagram has nothing like them.

use ruma::OwnedMxcUri;
use serde_json::Value;

use crate::domain::event::ReplyTo;

/// A file for Instagram.
#[derive(Clone, PartialEq, Debug)]
pub struct FilePart {
    /// Where it is on the homeserver.
    pub url: OwnedMxcUri,
    /// What its sender says it is; its bytes decide.
    pub kind: FileKind,
    /// What it is called; for notices.
    pub name: String,
    /// What its sender says of its size in bytes.
    pub size: Option<u64>,
    /// Milliseconds, of sounds and videos.
    pub duration_ms: Option<u64>,
    /// Width and height in pixels, of videos.
    pub dimensions: Option<(u32, u32)>,
    /// Loudness over time, 0 to 1.
    pub waveform: Vec<f32>,
    /// The item it answers.
    pub reply_to: Option<ReplyTo>,
}

/// What the sender says a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A picture, or a sticker.
    Picture,
    /// Moving pictures.
    Video,
    /// Sound.
    Audio,
    /// Anything.
    File,
}

impl FileKind {
    /// For notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Video => "video",
            Self::Audio => "recording",
            Self::File => "file",
        }
    }
}

/// The file of a message, if it carries one that can be read.
pub(super) fn of(kind: FileKind, content: &Value, reply_to: Option<ReplyTo>) -> Option<FilePart> {
    let info = &content["info"];
    let name = content["filename"].as_str().or(content["body"].as_str()).unwrap_or_default();
    let audio = &content["org.matrix.msc1767.audio"];
    let pixels = |side: &str| info[side].as_u64().and_then(|pixels| u32::try_from(pixels).ok());
    let waveform = audio["waveform"].as_array().into_iter().flatten();
    Some(FilePart {
        url: OwnedMxcUri::from(content["url"].as_str()?),
        kind,
        name: name.chars().take(100).collect(),
        size: info["size"].as_u64(),
        dimensions: pixels("w").zip(pixels("h")),
        duration_ms: info["duration"].as_u64().or_else(|| audio["duration"].as_u64()),
        waveform: waveform.filter_map(Value::as_f64).map(|level| (level / 1024.0).clamp(0.0, 1.0) as f32).collect(),
        reply_to,
    })
    .filter(|file| file.url.is_valid())
}

/// The words that go with a file: with a `filename`, the body is a caption.
pub(super) fn has_caption(content: &Value) -> bool {
    let name = content["filename"].as_str();
    name.is_some_and(|name| content["body"].as_str().is_some_and(|body| body != name && !body.is_empty()))
}

/// A place in words and as a link to a map.
pub(super) fn location(content: &Value) -> Option<String> {
    let uri = content["geo_uri"].as_str().or_else(|| content["org.matrix.msc3488.location"]["uri"].as_str())?;
    let mut numbers = uri.strip_prefix("geo:")?.split([',', ';']);
    let latitude: f64 = numbers.next()?.trim().parse().ok()?;
    let longitude: f64 = numbers.next()?.trim().parse().ok()?;
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return None;
    }
    let described = content["org.matrix.msc3488.location"]["description"].as_str();
    let words = described.or(content["body"].as_str()).unwrap_or_default().trim();
    let words = if words.is_empty() || words.contains("geo:") { "Location" } else { words };
    let map = format!("https://www.openstreetmap.org/?mlat={latitude}&mlon={longitude}#map=16/{latitude}/{longitude}");
    Some(format!("{words}\n{map}"))
}

/// A poll as a question with numbered answers.
pub(super) fn poll(content: &Value) -> Option<String> {
    let poll =
        ["m.poll", "org.matrix.msc3381.poll.start"].iter().map(|key| &content[*key]).find(|poll| poll.is_object())?;
    let text = |value: &Value| {
        let plain = ["org.matrix.msc1767.text", "body"].iter().find_map(|key| value[*key].as_str());
        plain.or_else(|| value["m.text"][0]["body"].as_str()).map(str::to_owned)
    };
    let question = text(&poll["question"])?;
    let answers = poll["answers"].as_array()?.iter().filter_map(text);
    let lines: Vec<String> = answers.enumerate().map(|(n, answer)| format!("{}. {answer}", n + 1)).collect();
    Some(format!("Poll: {question}\n{}", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_place_is_words_and_a_link() {
        let place = json!({"msgtype": "m.location", "body": "Big Ben", "geo_uri": "geo:51.5008,-0.1247;u=35"});
        let text = location(&place).unwrap();
        assert_eq!(text, "Big Ben\nhttps://www.openstreetmap.org/?mlat=51.5008&mlon=-0.1247#map=16/51.5008/-0.1247");
        assert_eq!(location(&json!({"geo_uri": "geo:95,0"})), None);
        assert_eq!(location(&json!({"geo_uri": "javascript:1"})), None);
    }

    #[test]
    fn a_poll_is_a_question_with_numbered_answers() {
        let poll_start = json!({"org.matrix.msc3381.poll.start": {
            "question": {"org.matrix.msc1767.text": "Tea?"},
            "answers": [{"id": "a", "org.matrix.msc1767.text": "yes"}, {"id": "b", "org.matrix.msc1767.text": "no"}]}});
        assert_eq!(poll(&poll_start).unwrap(), "Poll: Tea?\n1. yes\n2. no");
    }

    #[test]
    fn a_file_is_read_tolerantly() {
        let voice = json!({"msgtype": "m.audio", "body": "voice.ogg", "url": "mxc://test/abc", "info": {"size": "7"},
            "org.matrix.msc1767.audio": {"duration": 2000, "waveform": [0, 512, 4096, "x"]}});
        let file = of(FileKind::Audio, &voice, None).unwrap();
        assert_eq!((file.size, file.duration_ms, file.waveform), (None, Some(2000), vec![0.0, 0.5, 1.0]));
        assert!(!has_caption(&voice));
        assert_eq!(of(FileKind::Audio, &json!({"url": "https://x/"}), None), None);
        assert!(has_caption(&json!({"body": "look!", "filename": "a.jpg"})));
    }
}
