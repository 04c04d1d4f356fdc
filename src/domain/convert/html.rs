//! Flattens the HTML of a Matrix message into text that reads well where there is no formatting.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ruma::html::{Html, NodeRef};
use ruma::{OwnedUserId, UserId};

/// Deeper markup is not looked at: the parser's tree is freed recursively, and a hostile event could exhaust the stack.
const MAX_DEPTH: usize = 100;

/// The text of `html`, or none where the plain body should be used instead. A mention of a user in `names` becomes
/// `@name`.
pub fn flatten(html: &str, names: &BTreeMap<OwnedUserId, String>) -> Option<String> {
    if depth(html) > MAX_DEPTH {
        return None;
    }
    let mut writer = Writer { out: String::with_capacity(html.len()), names, preformatted: false, lists: Vec::new() };
    for node in Html::parse(html).children() {
        writer.node(&node);
    }
    Some(writer.out.trim_end_matches('\n').to_owned())
}

/// The markup without the element that names the sender of a single message (MSC4144); none if it has none.
pub fn without_profile_fallback(html: &str) -> Option<String> {
    let at = html.find("data-mx-profile-fallback")?;
    let start = html[..at].rfind('<')?;
    let name: String = html[start + 1..at].chars().take_while(char::is_ascii_alphanumeric).collect();
    let (inside, rest) = html[at..].split_once(&format!("</{name}>"))?;
    // Not an attribute, or not of an element with an end of its own.
    if inside.matches('>').count() != 1 || name.is_empty() {
        return None;
    }
    Some(format!("{}{rest}", &html[..start]))
}

/// An upper bound of how deep elements nest.
fn depth(html: &str) -> usize {
    const VOID: [&str; 4] = ["br", "hr", "img", "input"];
    let (mut depth, mut deepest) = (0_usize, 0);
    for tag in html.split('<').skip(1) {
        let name =
            |text: &str| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if tag.starts_with(|c: char| c.is_ascii_alphabetic()) && !VOID.contains(&name(tag).as_str()) {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    deepest
}

struct Writer<'a> {
    out: String,
    names: &'a BTreeMap<OwnedUserId, String>,
    preformatted: bool,
    /// One entry per open list: the number of the next item, none for bullets.
    lists: Vec<Option<u64>>,
}

impl Writer<'_> {
    fn node(&mut self, node: &NodeRef) {
        if let Some(text) = node.as_text() {
            self.text(&text.borrow());
        } else if let Some(element) = node.as_element() {
            let attribute = |name: &str| {
                element.attrs.borrow().iter().find(|a| &*a.name.local == name).map(|a| a.value.to_string())
            };
            match &*element.name.local {
                "mx-reply" | "script" | "style" => {}
                "br" => self.out.push('\n'),
                "hr" => self.block(|w| w.out.push_str("———")),
                "p" | "div" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "tr" | "details" => {
                    self.block(|w| w.children(node));
                }
                "blockquote" => self.quote(node),
                "pre" => self.block(|w| {
                    let before = std::mem::replace(&mut w.preformatted, true);
                    w.children(node);
                    w.preformatted = before;
                }),
                "ul" => self.list(node, None),
                "ol" => self.list(node, Some(attribute("start").and_then(|n| n.parse().ok()).unwrap_or(1))),
                "li" => self.item(node),
                "a" => self.link(node, attribute("href").as_deref()),
                "strong" | "b" => self.wrap(node, "*"),
                "em" | "i" => self.wrap(node, "_"),
                "del" | "s" | "strike" => self.wrap(node, "~"),
                "code" if !self.preformatted => self.wrap(node, "`"),
                "span" if attribute("data-mx-spoiler").is_some() => {
                    if let Some(reason) = attribute("data-mx-spoiler").filter(|reason| !reason.is_empty()) {
                        let _ = write!(self.out, "({reason}) ");
                    }
                    self.wrap(node, "||");
                }
                "img" => self.out.push_str(&attribute("alt").unwrap_or_default()),
                "td" | "th" => {
                    self.children(node);
                    self.out.push('\t');
                }
                _ => self.children(node),
            }
        }
    }

    fn children(&mut self, node: &NodeRef) {
        for child in node.children() {
            self.node(&child);
        }
    }

    /// Line breaks in the source are only spaces, unless preformatted.
    fn text(&mut self, text: &str) {
        if self.preformatted {
            self.out.push_str(text);
            return;
        }
        for character in text.chars() {
            if character == '\n' || character == '\r' {
                if !self.out.is_empty() && !self.out.ends_with(['\n', ' ']) {
                    self.out.push(' ');
                }
            } else {
                self.out.push(character);
            }
        }
    }

    /// Marks each line of a piece of text on both sides, as people do where there is no formatting.
    fn wrap(&mut self, node: &NodeRef, mark: &str) {
        let outer = std::mem::take(&mut self.out);
        self.children(node);
        let inner = std::mem::replace(&mut self.out, outer);
        for line in inner.split_inclusive('\n') {
            let text = line.trim();
            let (before, after) = line.split_once(text).unwrap_or_default();
            let mark = if text.is_empty() { "" } else { mark };
            for piece in [before, mark, text, mark, after] {
                self.out.push_str(piece);
            }
        }
    }

    fn block(&mut self, body: impl FnOnce(&mut Self)) {
        self.line();
        body(self);
        self.line();
    }

    /// Starts a new line unless at the start of one.
    fn line(&mut self) {
        while self.out.ends_with(' ') && !self.preformatted {
            self.out.pop();
        }
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn quote(&mut self, node: &NodeRef) {
        self.line();
        let outer = std::mem::take(&mut self.out);
        self.children(node);
        let inner = std::mem::replace(&mut self.out, outer);
        for line in inner.trim_end_matches('\n').lines() {
            let _ = writeln!(self.out, "> {line}");
        }
    }

    fn list(&mut self, node: &NodeRef, first: Option<u64>) {
        self.line();
        self.lists.push(first);
        self.children(node);
        self.lists.pop();
        self.line();
    }

    fn item(&mut self, node: &NodeRef) {
        self.line();
        self.out.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let _ = write!(self.out, "{number}. ");
                *number += 1;
            }
            _ => self.out.push_str("- "),
        }
        // A paragraph inside the item must not push its text to the next line.
        let outer = std::mem::take(&mut self.out);
        self.children(node);
        let inner = std::mem::replace(&mut self.out, outer);
        self.out.push_str(inner.trim_start_matches('\n'));
        self.line();
    }

    fn link(&mut self, node: &NodeRef, href: Option<&str>) {
        if let Some(name) = href.and_then(mentioned_user).and_then(|user| self.names.get(&user)) {
            self.out.push('@');
            self.out.push_str(name);
            return;
        }
        let start = self.out.len();
        self.children(node);
        let label = self.out[start..].trim().to_owned();
        if let Some(href) = href.filter(|href| !href.starts_with("https://matrix.to/") && !href.starts_with("matrix:"))
        {
            let bare = |url: &str| {
                url.trim_end_matches('/').trim_start_matches("https://").trim_start_matches("http://").to_owned()
            };
            if bare(&label) != bare(href) && href != format!("mailto:{label}") {
                let _ = write!(self.out, " ({href})");
            }
        }
    }
}

/// The user a `matrix.to` or `matrix:` link names.
pub fn mentioned_user(href: &str) -> Option<OwnedUserId> {
    let id = if let Some(rest) = href.strip_prefix("https://matrix.to/#/") {
        rest.replace("%40", "@").replace("%3A", ":")
    } else {
        format!("@{}", href.strip_prefix("matrix:u/")?)
    };
    UserId::parse(id.split('?').next()?).ok()
}

#[cfg(test)]
mod tests {
    use ruma::owned_user_id;

    use super::*;

    fn flat(html: &str) -> String {
        flatten(html, &BTreeMap::from([(owned_user_id!("@instagram_5:test"), "carol".to_owned())])).unwrap()
    }

    #[test]
    fn inline_markup_is_marked_as_people_do() {
        assert_eq!(flat("<b>bold</b> and <em>soft</em> &amp; <code>x &lt; y</code>"), "*bold* and _soft_ & `x < y`");
        assert_eq!(flat("a<strong> b </strong>c <del>d</del> <u>e</u>"), "a *b* c ~d~ e");
        assert_eq!(flat("<span data-mx-spoiler=\"film\">he dies</span>"), "(film) ||he dies||");
        assert_eq!(flat("<b></b><i>\n</i>x"), "x");
    }

    #[test]
    fn each_line_is_marked() {
        let spoiler = "<span data-mx-spoiler=\"film\">he dies<br><br>and she too</span>!";
        assert_eq!(flat(spoiler), "(film) ||he dies||\n\n||and she too||!");
        assert_eq!(flat("<b>one<br><i>two</i></b>"), "*one*\n*_two_*");
    }

    #[test]
    fn links_keep_their_address() {
        assert_eq!(flat("see <a href=\"https://example.org/a\">this</a>"), "see this (https://example.org/a)");
        assert_eq!(flat("<a href=\"https://example.org/\">https://example.org</a>"), "https://example.org");
    }

    #[test]
    fn a_mention_becomes_the_handle() {
        assert_eq!(flat("hi <a href=\"https://matrix.to/#/@instagram_5:test\">Carol (Instagram)</a>!"), "hi @carol!");
    }

    #[test]
    fn lists_quotes_and_paragraphs_keep_their_lines() {
        assert_eq!(flat("<p>one</p>\n<p>two</p>"), "one\ntwo");
        assert_eq!(flat("<ul><li>a</li><li><p>b</p></li></ul>"), "- a\n- b");
        assert_eq!(flat("<ol start=\"3\"><li>a</li><li>b</li></ol>"), "3. a\n4. b");
        assert_eq!(flat("<blockquote>said<br>that</blockquote>no"), "> said\n> that\nno");
        assert_eq!(flat("<pre><code>a\n  b\n</code></pre>"), "a\n  b");
    }

    #[test]
    fn the_quoted_reply_fallback_is_dropped() {
        assert_eq!(flat("<mx-reply><blockquote>old</blockquote></mx-reply>new"), "new");
    }

    #[test]
    fn hostile_nesting_is_left_to_the_plain_body() {
        assert_eq!(flatten(&"<b>".repeat(20_000), &BTreeMap::new()), None);
        assert!(flatten(&"<br>".repeat(5_000), &BTreeMap::new()).is_some());
    }
}
