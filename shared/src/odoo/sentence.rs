//! Odoo's messages, short enough for one line.

/// Characters that are kept.
const MAX_CHARS: usize = 400;

/// The lines of a message on one line, without what only a developer reads: SQL excerpts, whole database rows and the
/// remark on products that cannot be seen. Ends without a full stop.
pub(super) fn sentence(message: &str) -> String {
    let mut text = String::new();
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        if line.starts_with("LINE ") || line.starts_with("Note:") || line.starts_with("Traceback") {
            break;
        }
        if line.starts_with("DETAIL:  Failing row") || line.chars().all(|c| c == '^') {
            continue;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    let mut short: String = text.chars().take(MAX_CHARS).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.trim_end_matches(['.', ' ', ':']).to_owned()
}

/// What stands between the first pair of these quotes.
pub(super) fn quoted(text: &str, quote: char) -> Option<&str> {
    let (_, rest) = text.split_once(quote)?;
    let (inside, _) = rest.split_once(quote)?;
    Some(inside).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_becomes_one_line_for_people() {
        assert_eq!(
            sentence(
                "Barcode(s) already assigned:\n\n- Barcode \"X\" already assigned to product(s): a, b\n\nNote: products that you don't have access to will not be shown above."
            ),
            "Barcode(s) already assigned: - Barcode \"X\" already assigned to product(s): a, b"
        );
        assert_eq!(
            sentence("invalid input syntax for type integer: \"Units\"\nLINE 1: ...'no-message'\n      ^"),
            "invalid input syntax for type integer: \"Units\""
        );
        assert_eq!(
            sentence("violates check constraint \"x\"\nDETAIL:  Failing row contains (1, null).\n"),
            "violates check constraint \"x\""
        );
        assert_eq!(sentence(" \n\t"), "");
    }

    #[test]
    fn long_message_is_cut_between_characters() {
        let cut = sentence(&"ü".repeat(1000));
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
        assert!(cut.ends_with('…'));
    }
}
