//! What two texts of HTML have in common after Odoo has cleaned one of them.

/// Elements that Odoo puts around plain text or takes away when it cleans: they say nothing by themselves.
const WRAPPERS: [&str; 7] = ["p", "div", "span", "font", "html", "body", "tbody"];

/// The text and the elements of HTML in one canonical form, without attributes, wrappers and differences in white space.
/// Odoo cleans HTML on writing (`a` becomes `<p>a</p>`, attributes and unknown elements go), so that the text read back is
/// never the one that was sent; two values of this form are equal when a reader would see the same.
pub(super) fn essence(html: &str) -> String {
    let mut essence = String::new();
    let mut rest = html;
    while let Some((text, tail)) = rest.split_once('<') {
        push_text(&mut essence, text);
        let is_tag = tail.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
        match tail.split_once('>') {
            Some((tag, after)) if is_tag => {
                push_tag(&mut essence, tag);
                rest = after;
            }
            _ => {
                push_text(&mut essence, "<");
                rest = tail;
            }
        }
    }
    push_text(&mut essence, rest);
    essence.trim_end().to_owned()
}

/// Words with one space between them; a tag is a boundary as well as a space is.
fn push_text(essence: &mut String, text: &str) {
    let text = decoded(text);
    if text.starts_with(char::is_whitespace) {
        push_space(essence);
    }
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        essence.push_str(word);
        if words.peek().is_some() {
            essence.push(' ');
        }
    }
    if text.ends_with(char::is_whitespace) {
        push_space(essence);
    }
}

fn push_space(essence: &mut String) {
    if !essence.is_empty() && !essence.ends_with(' ') {
        essence.push(' ');
    }
}

/// Elements are kept by name, as `\u{1}name`; what only wraps is a space.
fn push_tag(essence: &mut String, tag: &str) {
    let name: String = tag.chars().take_while(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    if !name.is_empty() && !WRAPPERS.contains(&name.as_str()) {
        essence.truncate(essence.trim_end().len());
        essence.push('\u{1}');
        essence.push_str(&name);
    }
    push_space(essence);
}

/// The entities that writers of HTML and Odoo's cleaner use for the same characters.
fn decoded(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace(['\u{a0}'], " ")
        .replace("&#160;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cleaned_html_is_the_same() {
        for (sent, cleaned) in [
            ("plain", "<p>plain</p>"),
            ("a &amp; b", "<p>a &amp; b</p>"),
            ("<div class='x'>one<br>two</div>", "<div>one<br/>two</div>"),
            ("<b style=\"color:red\">bold</b> text", "<p><b>bold</b> text</p>"),
            ("two\n  words", "<p>two words</p>"),
            ("1 < 2", "<p>1 &lt; 2</p>"),
            ("", "<p></p>"),
        ] {
            assert_eq!(essence(sent), essence(cleaned), "{sent}");
        }
    }

    #[test]
    fn what_a_reader_sees_differ_differs() {
        for (one, other) in
            [("a", "b"), ("<b>a</b>", "a"), ("a b", "ab"), ("<ul><li>a</li></ul>", "a"), ("a<br>b", "a b")]
        {
            assert_ne!(essence(one), essence(other), "{one}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_essence(text in ".{0,80}") {
            let once = essence(&text);
            prop_assert!(!once.ends_with(' '));
        }
    }
}
