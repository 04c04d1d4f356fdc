//! Cuts a long text into parts whose concatenation is the text, byte for byte.

/// Parts of at most `budget` units each, where `cost` is what one character takes. Cuts after a line break or a space
/// when one lies in the second half of a part. An empty text is one empty part.
pub(super) fn split(text: &str, budget: usize, cost: impl Fn(char) -> usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let Some(limit) = end_of_part(rest, budget, &cost) else {
            parts.push(rest);
            return parts;
        };
        let cut = good_cut(&rest[..limit]);
        parts.push(&rest[..cut]);
        rest = &rest[cut..];
    }
}

/// Where the budget ends, or none if the text fits. At least one character is taken.
fn end_of_part(text: &str, budget: usize, cost: &impl Fn(char) -> usize) -> Option<usize> {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += cost(character);
        if used > budget && at > 0 {
            return Some(at);
        }
    }
    None
}

fn good_cut(part: &str) -> usize {
    let half = part.len() / 2;
    let after = |found: Option<usize>| found.map(|at| at + 1).filter(|at| *at > half);
    after(part.rfind('\n')).or_else(|| after(part.rfind(' '))).unwrap_or(part.len())
}

/// Bytes a character takes inside a JSON string.
pub(super) fn json_cost(character: char) -> usize {
    match character {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '\0'..='\x1f' | '\x7f' => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_one_part() {
        assert_eq!(split("hello", 10, char::len_utf8), ["hello"]);
        assert_eq!(split("", 10, char::len_utf8), [""]);
    }

    #[test]
    fn cuts_at_words() {
        assert_eq!(split("one two three", 9, char::len_utf8), ["one two ", "three"]);
    }

    #[test]
    fn a_character_wider_than_the_budget_still_moves_on() {
        assert_eq!(split("😀😀", 1, char::len_utf8), ["😀", "😀"]);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_text(text in "\\PC{0,300}", budget in 4_usize..50) {
            let parts = split(&text, budget, char::len_utf8);
            prop_assert_eq!(parts.concat(), text.as_str());
            prop_assert!(parts.iter().all(|part| part.len() <= budget));
        }
    }
}
