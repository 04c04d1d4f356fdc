//! Which addresses and names may leave the crate: links for people, sources of media, handles and codes in paths.

use url::Url;

/// No address of Instagram comes near this; a longer one is somebody's game.
const LONGEST: usize = 8192;

/// The name of a post in its address, which is its number in base 64.
pub fn shortcode(mut pk: u128) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(ALPHABET[(pk % 64) as usize]));
        pk /= 64;
        if pk == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// An address that anyone may be given: `https`, and on Instagram without the tracking part.
pub(super) fn web_link(address: &str) -> Option<String> {
    // The parser would drop these, and make an address of what is none.
    if address.contains(|c: char| c.is_ascii_control()) {
        return None;
    }
    let mut url = Url::parse(address).ok()?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    if is_instagram(&url) {
        url.set_query(None);
        url.set_fragment(None);
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
    }
    Some(url.into())
}

/// Tells whether an address is on Instagram's own site.
pub(super) fn is_instagram(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "instagram.com" || host.ends_with(".instagram.com"))
}

/// Tells whether an address leads to the servers of files, where every address is signed and expires.
pub(super) fn is_cdn(address: &str) -> bool {
    let url = Url::parse(address).ok();
    let host = url.as_ref().and_then(Url::host_str);
    host.is_some_and(|host| host.ends_with(".cdninstagram.com") || host.ends_with(".fbcdn.net"))
}

/// An address that media may be fetched from: `https`, without credentials; byte for byte as it came, because the
/// signature covers its spelling.
pub(super) fn media_url(address: String) -> Option<String> {
    // A parser forgives white space and backslashes, and the request would then not be what was signed.
    let clean = address.len() <= LONGEST
        && address.starts_with("https://")
        && !address.contains(|c: char| c.is_ascii_control() || c.is_whitespace() || c == '\\');
    if !clean {
        return None;
    }
    let url = Url::parse(&address).ok()?;
    (url.has_host() && url.username().is_empty() && url.password().is_none()).then_some(address)
}

/// The type that the end of an address's path names.
pub(super) fn mime_of(address: &str) -> Option<&'static str> {
    let url = Url::parse(address).ok()?;
    let (_, extension) = url.path().rsplit('/').next()?.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "avif" => "image/avif",
        "mp4" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        _ => return None,
    })
}

/// A type as a field names it; `None` for what cannot be one of media.
pub(super) fn stated_mime(stated: &str) -> Option<String> {
    let mime = stated.split(';').next()?.trim().to_ascii_lowercase();
    let (group, name) = mime.split_once('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    let fits = matches!(group, "image" | "video" | "audio") && !name.is_empty() && name.len() <= 64;
    (fits && name.chars().all(plain)).then_some(mime)
}

/// Tells whether text is decimal digits, as ids in addresses are.
pub(super) fn is_number(digits: &str) -> bool {
    (1..=64).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

pub(super) fn is_username(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
}

/// Tells whether a heading can be a username: these have no capitals, a title of one word usually has.
pub(super) fn is_handle(heading: &str) -> bool {
    is_username(heading) && !heading.bytes().any(|b| b.is_ascii_uppercase())
}

pub(super) fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_comes_over_https_from_an_address_as_it_was_signed() {
        for address in ["https://a.example/v/a.jpg?stp=1&oe=69%2f&x=%7E~", "https://a.example", "https://[::1]/a"] {
            assert_eq!(media_url(address.to_owned()).as_deref(), Some(address));
        }
        for address in [
            "",
            "http://a.example/a.jpg",
            "javascript:alert(1)",
            "data:image/png;base64,AAAA",
            "file:///etc/passwd",
            "//a.example/a.jpg",
            "https:a.example/a.jpg",
            "https://",
            "https://user@a.example/a",
            "https://user:pass@a.example/a",
            " https://a.example/a",
            "https://a.example/a b",
            "https://a.example/a\nb",
            "https://a.example\\@b.example/",
        ] {
            assert_eq!(media_url(address.to_owned()), None, "{address:?}");
        }
        assert_eq!(media_url(format!("https://a.example/{}", "a".repeat(LONGEST))), None);
    }

    #[test]
    fn the_type_is_in_the_path_never_in_the_query() {
        assert_eq!(mime_of("https://a.example/v/a.JPG?x=a.mp4"), Some("image/jpeg"));
        assert_eq!(mime_of("https://a.example/v/a.m4a"), Some("audio/mp4"));
        for address in ["https://a.example/v/a?x=a.mp4", "https://a.jpg/", "https://a.example/a.jpg/b", "x"] {
            assert_eq!(mime_of(address), None, "{address}");
        }
    }

    #[test]
    fn a_stated_type_is_one_of_media() {
        assert_eq!(stated_mime("Image/JPEG; q=1").as_deref(), Some("image/jpeg"));
        for stated in ["", "image", "image/", "text/html", "image/<b>", "image/a/b"] {
            assert_eq!(stated_mime(stated), None, "{stated}");
        }
    }
}
