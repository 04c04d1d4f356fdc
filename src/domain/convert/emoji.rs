//! Emoji as the two sides write them: Instagram is careless about variation selectors, Matrix clients are not.

/// Asks for the coloured picture where a character also has a plain one.
const SELECTOR: char = '\u{fe0f}';

/// True for emoji that differ in variation selectors at most.
pub fn is_same(one: &str, other: &str) -> bool {
    plain(one) == plain(other)
}

/// Without variation selectors: what is left tells emoji apart.
pub fn plain(emoji: &str) -> String {
    emoji.chars().filter(|&c| c != SELECTOR).collect()
}

/// As Matrix clients write it, so that equal reactions are counted together: the old symbols that are also emoji get
/// their selector.
pub fn shown(emoji: &str) -> String {
    let mut chars = emoji.chars();
    match (chars.next(), chars.next()) {
        (Some(first), None) if is_old_symbol(first) => format!("{first}{SELECTOR}"),
        _ => emoji.to_owned(),
    }
}

/// As Instagram takes it.
pub fn for_instagram(emoji: &str) -> String {
    emoji.trim().to_owned()
}

/// True for what can be a reaction on Instagram: short, without letters.
pub fn is_emoji(text: &str) -> bool {
    let text = text.trim();
    let is_letter = |c: char| c.is_alphabetic() && !is_letterlike(c);
    !text.is_empty() && text.chars().count() <= 16 && !text.is_ascii() && !text.chars().any(is_letter)
}

/// Letters that are emoji: ℹ, Ⓜ, and those in squares.
fn is_letterlike(c: char) -> bool {
    matches!(u32::from(c), 0x2139 | 0x24c2 | 0x1f130..=0x1f189)
}

/// Symbols older than emoji, which are shown plain without the selector.
fn is_old_symbol(c: char) -> bool {
    matches!(u32::from(c), 0xa9 | 0xae | 0x203c | 0x2049 | 0x2122 | 0x2139 | 0x2194..=0x21aa | 0x2328 | 0x23cf
        | 0x23e9..=0x23f3 | 0x24c2 | 0x25aa..=0x25fe | 0x2600..=0x26ff | 0x2702..=0x27bf | 0x2934..=0x2b55
        | 0x3030..=0x3299)
        && !matches!(u32::from(c), 0x2705 | 0x270a | 0x270b | 0x2728 | 0x274c | 0x274e | 0x2753..=0x2755)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variation_selectors_make_no_difference() {
        assert!(is_same("❤", "❤️"));
        assert!(!is_same("❤️", "🧡"));
    }

    #[test]
    fn a_heart_is_shown_red() {
        assert_eq!(shown("❤"), "❤\u{fe0f}");
        assert_eq!(shown("❤\u{fe0f}"), "❤\u{fe0f}");
        assert_eq!(shown("🔥"), "🔥");
        assert_eq!(shown("👩‍👩‍👧‍👦"), "👩‍👩‍👧‍👦");
    }

    #[test]
    fn words_are_no_emoji() {
        assert!(is_emoji("👍🏽") && is_emoji("❤️") && is_emoji("🇩🇪"));
        assert!(is_emoji("ℹ️") && is_emoji("Ⓜ️") && is_emoji("🅰️") && is_emoji("1️⃣"));
        assert!(!is_emoji("+1") && !is_emoji("ok") && !is_emoji("mxc://x/y") && !is_emoji(""));
    }
}
