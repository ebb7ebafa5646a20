//! Record ids: 18 digits, too large for a float, printed as strings.

/// What an id is the id of. The number is part of the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Item = 1,
    Group = 2,
    /// The first image of a seeded item.
    Photo = 3,
    /// An image that was uploaded later.
    Upload = 4,
    /// A PDF among an item's documents.
    Sheet = 5,
    /// The second image of an item.
    SecondPhoto = 6,
    Contact = 7,
    Person = 8,
    Unit = 9,
    Tax = 10,
    Account = 11,
    Attribute = 12,
    Option = 13,
    CustomField = 14,
    Location = 15,
    Address = 17,
    Currency = 18,
}

const ORGANIZATION_DIGITS: &str = "88001";

/// The id of this number in its space. Numbers stay below one hundred million.
pub(crate) fn id(space: Space, number: u32) -> String {
    format!("{ORGANIZATION_DIGITS}{:05}{number:08}", space as u32)
}

/// The number of an id of this space; `None` for anything else.
pub(crate) fn number(space: Space, text: &str) -> Option<u32> {
    let prefix = format!("{ORGANIZATION_DIGITS}{:05}", space as u32);
    let digits = text.strip_prefix(&prefix)?;
    (digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_18_digits_and_lead_back() {
        let text = id(Space::Item, 2074);
        assert_eq!(text, "880010000100002074");
        assert!(text.parse::<u64>().unwrap() > 1 << 53);
        assert_eq!(number(Space::Item, &text), Some(2074));
        assert_eq!(number(Space::Contact, &text), None);
        for other in ["", "2074", "8800100001000020740", "88001000010000207x", "88001000010000+074"] {
            assert_eq!(number(Space::Item, other), None, "{other}");
        }
    }
}
