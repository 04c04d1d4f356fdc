//! Recognises the form of a pasted text and collects the cookies it contains.

use crate::number::{Object, elements};

use super::CredentialsError;

/// The cookies that matter, as found.
#[derive(Default)]
pub(super) struct Cookies {
    pub(super) sessionid: Option<String>,
    pub(super) csrftoken: Option<String>,
    pub(super) mid: Option<String>,
    pub(super) ig_did: Option<String>,
}

impl Cookies {
    /// The first value that is not empty counts.
    fn put(&mut self, name: &str, value: &str) -> bool {
        let slot = match name.trim() {
            "sessionid" => &mut self.sessionid,
            "csrftoken" => &mut self.csrftoken,
            "mid" => &mut self.mid,
            "ig_did" => &mut self.ig_did,
            _ => return false,
        };
        let value = value.trim().trim_matches('"');
        if slot.is_none() && !value.is_empty() {
            *slot = Some(value.to_owned());
        }
        true
    }
}

/// Browser exports nest this deep at most; HAR files are the deepest.
const JSON_DEPTH: usize = 12;

/// Finds the cookies in a pasted text. `Err` only if the text has no known form.
pub(super) fn read(pasted: &str) -> Result<Cookies, CredentialsError> {
    let text = unwrap(pasted);
    if text.is_empty() {
        return Err(CredentialsError::Empty);
    }
    let mut cookies = Cookies::default();
    if text.starts_with(['{', '[']) {
        if !read_json(&text, &mut cookies, JSON_DEPTH) && !read_json(&straight_quotes(&text), &mut cookies, JSON_DEPTH)
        {
            return Err(CredentialsError::DamagedJson);
        }
        return Ok(cookies);
    }
    let command = text.strip_prefix('$').unwrap_or(&text).trim_start();
    if ["curl ", "curl.exe ", "curl\t", "curl\\"].iter().any(|name| command.starts_with(name)) {
        read_curl(command, &mut cookies);
        if cookies.sessionid.is_none() {
            read_loose(&text, &mut cookies);
        }
        return Ok(cookies);
    }
    let known = read_cookie_file(&text, &mut cookies) | read_headers(&text, &mut cookies);
    if known || cookies.sessionid.is_some() {
        return Ok(cookies);
    }
    if !text.contains(char::is_whitespace) && !text.contains('=') {
        cookies.sessionid = Some(text);
        return Ok(cookies);
    }
    Err(CredentialsError::NotUnderstood)
}

/// Removes what chat clients and copying put around a text: white space, code fences, quotation marks.
fn unwrap(pasted: &str) -> String {
    let invisible = |c: char| matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}');
    let clean = pasted.replace("\r\n", "\n").replace('\u{a0}', " ").replace(invisible, "");
    let mut text = clean.trim();
    if let Some(inner) = text.strip_prefix("```") {
        let inner = inner.strip_suffix("```").unwrap_or(inner);
        // A fence may name a language on its own line.
        text = match inner.split_once('\n') {
            Some((language, body)) if language.chars().all(char::is_alphanumeric) => body,
            _ => inner,
        }
        .trim();
    }
    for (open, close) in
        [("`", "`"), ("\"", "\""), ("'", "'"), ("“", "”"), ("„", "“"), ("‘", "’"), ("«", "»"), ("<", ">")]
    {
        let inside = text.strip_prefix(open).and_then(|text| text.strip_suffix(close));
        // `'a' 'b'` is not one quotation.
        if let Some(inside) = inside.filter(|inside| !inside.contains(open) && !inside.contains(close)) {
            text = inside.trim();
        }
    }
    text.to_owned()
}

fn straight_quotes(text: &str) -> String {
    text.replace(['“', '”', '„', '‟', '«', '»'], "\"").replace(['‘', '’', '‚', '‛'], "'")
}

/// Collects from any nesting of objects, arrays and `{name, value}` pairs. `false` if it is not JSON.
fn read_json(json: &str, cookies: &mut Cookies, depth: usize) -> bool {
    let Some(next) = depth.checked_sub(1) else { return true };
    if let Some(elements) = elements(json) {
        for element in elements.into_iter().filter(|element| element.starts_with(['{', '['])) {
            read_json(element, cookies, next);
        }
        return true;
    }
    let Some(object) = Object::parse(json) else { return false };
    if let (Some(name), Some(value)) = (object.text("name"), object.text("value")) {
        let foreign = object.text("domain").is_some_and(|domain| !is_instagram(&domain));
        if !foreign {
            cookies.put(&name, &value);
        }
        return true;
    }
    for (key, value) in object.fields() {
        match value.as_bytes().first() {
            Some(b'{' | b'[') => _ = read_json(value, cookies, next),
            _ => _ = crate::number::text(value).is_some_and(|value| cookies.put(key, &value)),
        }
    }
    true
}

fn is_instagram(domain: &str) -> bool {
    let domain = domain.trim_start_matches('.');
    domain == "instagram.com" || domain.ends_with(".instagram.com")
}

/// Reads the `Cookie` headers and cookie options of a command line.
fn read_curl(command: &str, cookies: &mut Cookies) {
    let command = straight_quotes(command);
    let command = if command.contains("^\"") { without_carets(&command) } else { plain_quotes(&command) };
    let mut words = shlex::Shlex::new(&command);
    while let Some(word) = words.next() {
        let (option, attached) = match word.split_once('=') {
            Some((option @ ("--header" | "--cookie"), value)) => (option, Some(value.to_owned())),
            _ => match word.get(..2) {
                Some(option @ ("-H" | "-b")) if word.len() > 2 => (option, Some(word[2..].to_owned())),
                _ => (word.as_str(), None),
            },
        };
        let is_header = matches!(option, "-H" | "--header");
        if !is_header && !matches!(option, "-b" | "--cookie") {
            continue;
        }
        let Some(value) = attached.or_else(|| words.next()) else { break };
        match strip_cookie_name(&value) {
            Some(pairs) => read_pairs(pairs, cookies),
            None if !is_header => read_pairs(&value, cookies),
            None => {}
        }
    }
}

/// Undoes the escaping of the Windows shell: a caret takes the next character literally or continues the line.
fn without_carets(command: &str) -> String {
    let mut plain = String::with_capacity(command.len());
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        match character {
            '^' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// Rewrites `$'…'`, which shlex does not know, as plain single quotes.
fn plain_quotes(command: &str) -> String {
    let mut plain = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    let mut quote = None;
    while let Some(character) = characters.next() {
        match (character, quote) {
            ('\\', None | Some('"')) => {
                plain.push(character);
                plain.extend(characters.next());
            }
            ('$', None) if characters.peek() == Some(&'\'') => {
                characters.next();
                plain.push('\'');
                plain.push_str(&read_escapes(&mut characters).replace('\'', r"'\''"));
                plain.push('\'');
            }
            ('\'' | '"', None) => {
                quote = Some(character);
                plain.push(character);
            }
            (closing, Some(opening)) if closing == opening => {
                quote = None;
                plain.push(closing);
            }
            (other, _) => plain.push(other),
        }
    }
    plain
}

/// The inside of `$'…'`, up to and without its closing quote.
fn read_escapes(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut inside = String::new();
    while let Some(character) = characters.next() {
        let escaped = match character {
            '\'' => break,
            '\\' => characters.next(),
            other => {
                inside.push(other);
                continue;
            }
        };
        match escaped {
            Some('n') => inside.push('\n'),
            Some('r') => inside.push('\r'),
            Some('t') => inside.push('\t'),
            Some(kind @ ('x' | 'u')) => {
                let longest = if kind == 'x' { 2 } else { 4 };
                let mut code = 0;
                for _ in 0..longest {
                    let Some(digit) = characters.peek().and_then(|digit| digit.to_digit(16)) else { break };
                    code = code * 16 + digit;
                    characters.next();
                }
                inside.extend(char::from_u32(code));
            }
            Some(other) => inside.push(other),
            None => break,
        }
    }
    inside
}

/// Reads the lines of a Netscape cookie file. `false` if there is no such line.
fn read_cookie_file(text: &str, cookies: &mut Cookies) -> bool {
    let mut known = false;
    for line in text.lines() {
        let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
        let by_tab: Vec<_> = line.split('\t').collect();
        // Pasting may have turned the tabs into spaces.
        let fields = if by_tab.len() >= 7 { by_tab } else { line.split_whitespace().collect() };
        let [domain, subdomains, _, secure, _, name, value, ..] = fields[..] else { continue };
        let is_flag = |field: &str| field.eq_ignore_ascii_case("true") || field.eq_ignore_ascii_case("false");
        if is_flag(subdomains) && is_flag(secure) {
            known = true;
            if is_instagram(domain) {
                cookies.put(name, value);
            }
        }
    }
    known
}

/// Reads a `Cookie` header among others, or bare pairs. `false` if there was neither.
fn read_headers(text: &str, cookies: &mut Cookies) -> bool {
    let mut known = false;
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line.eq_ignore_ascii_case("cookie") || line.eq_ignore_ascii_case("cookie:") {
            // Some developer tools put the value on a line of its own.
            known |= lines.next().is_some_and(|line| {
                read_pairs(line, cookies);
                true
            });
        } else if let Some(pairs) = strip_cookie_name(line) {
            read_pairs(pairs, cookies);
            known = true;
        } else if let Some((name, value)) = line.split_once(['\t', ':']).filter(|(name, _)| !name.contains('=')) {
            // A row of a cookie table, or `sessionid: …`.
            known |= cookies.put(name, value.split('\t').next().unwrap_or(value).trim().trim_end_matches([';', ',']));
        } else if line.split(';').any(is_pair) {
            read_pairs(line, cookies);
            known = true;
        }
    }
    known
}

fn is_pair(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, _)| {
        let name = name.trim();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    })
}

fn read_pairs(pairs: &str, cookies: &mut Cookies) {
    for (name, value) in pairs.split(';').filter_map(|pair| pair.split_once('=')) {
        cookies.put(name, value);
    }
}

fn strip_cookie_name(header: &str) -> Option<&str> {
    let (name, value) = header.split_once(':')?;
    name.trim().eq_ignore_ascii_case("cookie").then_some(value)
}

/// The last resort for damaged quoting: whatever follows `sessionid=`.
fn read_loose(text: &str, cookies: &mut Cookies) {
    for name in ["sessionid", "csrftoken", "mid", "ig_did"] {
        let pattern = format!("{name}=");
        for (start, found) in text.match_indices(&pattern) {
            let before = text[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let value = text[start + found.len()..].split([';', '\'', '"', ' ', '\n', '\\', '^']).next();
            cookies.put(name, value.unwrap_or_default());
        }
    }
}
