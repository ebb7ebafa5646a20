//! Walks through lists that a model server holds.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::zoho::Kind;

fn row(id: u32, time: &str) -> Row {
    let value = json!({"item_id": id.to_string(), "last_modified_time": time});
    Row::new(Kind::Items, value).unwrap()
}

fn at(seconds: u32) -> String {
    time::format(Timestamp::from_second(1_790_000_000 + i64::from(seconds)).unwrap())
}

fn ids(page: &Page) -> Vec<String> {
    page.rows.iter().map(Row::id).collect()
}

#[test]
fn bound_moves_to_the_last_row_and_it_is_not_read_twice() {
    let first = Position::first(Api::Inventory, None);
    let page = first.turn(vec![row(1, &at(0)), row(2, &at(5))], true).unwrap();
    let next = page.next().unwrap().clone();
    let expected = Position::Changed { since: Some(at(5)), page: 1, seen: vec!["2".to_owned()] };
    assert_eq!(next, expected);
    let page = next.turn(vec![row(2, &at(5)), row(3, &at(5))], false).unwrap();
    assert_eq!((ids(&page), page.next()), (vec!["3".to_owned()], None));
}

#[test]
fn last_page_that_has_a_number_is_not_counted_on() {
    for text in [r#"{"scan":{"page":4294967295}}"#.to_owned(), position_at(u32::MAX)] {
        let position: Position = text.parse().unwrap();
        let page = position.turn(vec![row(1, &at(0))], true).unwrap();
        assert_eq!(page.after.number(), u32::MAX);
    }
}

/// Text of a page inside the second 0.
fn position_at(page: u32) -> String {
    Position::Changed { since: Some(at(0)), page, seen: Vec::new() }.to_string()
}

#[test]
fn second_that_fills_a_page_is_paged_inside() {
    let since = Timestamp::from_second(1_790_000_000).unwrap();
    let first = Position::first(Api::Inventory, Some(since));
    let page = first.turn(vec![row(1, &at(0)), row(2, &at(0))], true).unwrap();
    let next = page.next().unwrap().clone();
    assert_eq!(next.number(), 2);
    let page = next.turn(vec![row(3, &at(0)), row(4, &at(9))], true).unwrap();
    assert_eq!(page.rows.len(), 2);
    assert_eq!(page.next().unwrap().number(), 1);
}

#[test]
fn same_instant_in_another_offset_is_the_same_bound() {
    let position = Position::Changed {
        since: Some("2026-10-09T17:20:00+0000".to_owned()),
        page: 1,
        seen: vec!["1".to_owned()],
    };
    let rows = vec![row(1, "2026-10-09T13:20:00-0400"), row(2, "2026-10-09T13:20:00-0400")];
    let page = position.turn(rows, true).unwrap();
    assert_eq!(ids(&page), ["2"]);
    assert_eq!(page.next().unwrap().number(), 2);
}

#[test]
fn walk_that_cannot_be_trusted_becomes_a_scan() {
    let since = Timestamp::from_second(1_790_000_000 + 10).unwrap();
    let position = Position::first(Api::Inventory, Some(since));
    for (rows, distrust) in [
        (vec![row(1, &at(3)), row(2, &at(12))], Distrust::FilterIgnored),
        (vec![row(1, &at(30)), row(2, &at(20))], Distrust::NotSorted),
        (vec![row(1, &at(30)), row(2, "")], Distrust::NoTime),
    ] {
        let page = position.turn(rows, false).unwrap();
        assert_eq!(page.distrust, Some(distrust));
        assert_eq!((page.rows.len(), page.next()), (0, Some(&Position::Scan { page: 1 })));
    }
}

#[test]
fn more_without_rows_is_no_end() {
    for position in [Position::first(Api::Inventory, None), Position::Scan { page: 2 }] {
        assert!(position.turn(Vec::new(), true).is_err());
        assert_eq!(position.turn(Vec::new(), false).unwrap().next(), None);
    }
}

#[test]
fn books_is_scanned_page_by_page() {
    let position = Position::first(Api::Books, Some(Timestamp::UNIX_EPOCH));
    let page = position.turn(vec![row(1, "")], true).unwrap();
    assert_eq!(page.next(), Some(&Position::Scan { page: 2 }));
    assert_eq!(page.rows.len(), 1);
}

#[test]
fn position_is_read_back() {
    for position in [
        Position::Scan { page: 7 },
        Position::first(Api::Inventory, None),
        Position::Changed { since: Some(at(1)), page: 3, seen: vec!["88001000000110002".to_owned()] },
    ] {
        assert_eq!(position.to_string().parse::<Position>().unwrap(), position);
    }
    assert!("88001".parse::<Position>().is_err());
}

/// What a server with these rows, sorted by time, answers.
fn serve(rows: &[(u32, u32)], position: &Position, per_page: usize) -> (Vec<Row>, bool) {
    let Position::Changed { since, page, .. } = position else {
        panic!("no scan was asked for");
    };
    let bound = since.as_deref().map(|text| time::parse(text).unwrap());
    let fitting: Vec<Row> = rows
        .iter()
        .map(|(id, seconds)| row(*id, &at(*seconds)))
        .filter(|row| row.last_modified_time() >= bound)
        .collect();
    let begin = (*page as usize - 1) * per_page;
    let rows: Vec<Row> = fitting.iter().skip(begin).take(per_page).cloned().collect();
    (rows, fitting.len() > begin + per_page)
}

proptest! {
    /// Whatever seconds the rows share, each is read exactly once.
    #[test]
    fn every_row_is_read_once(mut seconds in prop::collection::vec(0u32..6, 0..40), per_page in 1usize..7) {
        seconds.sort_unstable();
        let rows: Vec<(u32, u32)> = (0u32..).zip(seconds).collect();
        let mut position = Some(Position::first(Api::Inventory, None));
        let mut read = Vec::new();
        let mut calls = 0;
        while let Some(at) = position {
            calls += 1;
            prop_assert!(calls < 200, "the walk does not end");
            let (page, has_more) = serve(&rows, &at, per_page);
            let page = at.turn(page, has_more).unwrap();
            read.extend(ids(&page));
            position = page.next().map(|next| next.to_string().parse().unwrap());
            if page.is_last {
                let (rest, has_more) = serve(&rows, &page.after, per_page);
                let rest = page.after.turn(rest, has_more).unwrap();
                prop_assert!(rest.rows.is_empty() && rest.is_last, "behind the end is nothing");
            }
        }
        let all: Vec<String> = rows.iter().map(|(id, _)| id.to_string()).collect();
        prop_assert_eq!(read, all);
    }
}
