//! Which rows to send together next, when Odoo takes a batch whole or not at all.

use std::collections::{BTreeSet, VecDeque};

/// Parts of a batch still to be sent, by positions in the batch.
#[derive(Debug)]
pub(super) struct Split {
    parts: VecDeque<Vec<usize>>,
}

impl Split {
    /// A batch of so many rows, in parts of at most `size`.
    pub(super) fn new(rows: usize, size: usize) -> Self {
        let all: Vec<usize> = (0..rows).collect();
        Self { parts: all.chunks(size.max(1)).map(<[usize]>::to_vec).collect() }
    }

    /// The next part.
    pub(super) fn next(&mut self) -> Option<Vec<usize>> {
        self.parts.pop_front()
    }

    /// Takes a refused part apart. `reported` are the positions inside the part that Odoo blames: the others are sent
    /// first, then each blamed row alone, since Odoo may blame the wrong one of two rows. Where it blames nobody the part
    /// is halved. Tells the row when the part was this one alone: it is refused for good.
    pub(super) fn refused(&mut self, part: &[usize], reported: &BTreeSet<usize>) -> Option<usize> {
        if let [row] = part {
            return Some(*row);
        }
        let (blamed, rest): (Vec<_>, Vec<_>) =
            part.iter().copied().enumerate().partition(|(position, _)| reported.contains(position));
        if blamed.is_empty() {
            let (first, second) = part.split_at_checked(part.len() / 2).unwrap_or((part, &[]));
            self.parts.push_front(second.to_vec());
            self.parts.push_front(first.to_vec());
            return None;
        }
        for (_, row) in blamed.into_iter().rev() {
            self.parts.push_front(vec![row]);
        }
        if !rest.is_empty() {
            self.parts.push_front(rest.into_iter().map(|(_, row)| row).collect());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sends a batch to a sink that refuses a part with any bad row in it, and blames whom `blame` says. Tells the rows
    /// that were taken, those refused, and the number of calls.
    fn play(
        rows: usize,
        bad: &BTreeSet<usize>,
        blame: impl Fn(&[usize]) -> BTreeSet<usize>,
    ) -> (Vec<usize>, BTreeSet<usize>, usize) {
        let mut split = Split::new(rows, 100);
        let (mut taken, mut refused, mut calls) = (Vec::new(), BTreeSet::new(), 0);
        while let Some(part) = split.next() {
            calls += 1;
            if part.iter().any(|row| bad.contains(row)) {
                let reported = blame(&part);
                refused.extend(split.refused(&part, &reported));
            } else {
                taken.extend(part);
            }
        }
        taken.sort_unstable();
        (taken, refused, calls)
    }

    fn honest(part: &[usize], bad: &BTreeSet<usize>) -> BTreeSet<usize> {
        (0..part.len()).filter(|position| bad.contains(&part[*position])).collect()
    }

    #[test]
    fn one_blamed_row_in_a_hundred_costs_two_more_calls() {
        let bad = BTreeSet::from([41]);
        let (taken, refused, calls) = play(100, &bad, |part| honest(part, &bad));
        assert_eq!((taken.len(), refused, calls), (99, bad, 3));
    }

    #[test]
    fn one_bad_row_that_nobody_blames_is_found_by_halving() {
        let bad = BTreeSet::from([41]);
        let (taken, refused, calls) = play(100, &bad, |_| BTreeSet::new());
        assert_eq!((taken.len(), refused), (99, bad));
        assert!(calls <= 16, "{calls}");
    }

    #[test]
    fn more_than_a_part_is_sent_in_parts() {
        let (taken, _, calls) = play(250, &BTreeSet::new(), |_| BTreeSet::new());
        assert_eq!((taken.len(), calls), (250, 3));
    }

    proptest! {
        #[test]
        fn whoever_is_blamed_every_good_row_is_taken_once_and_every_bad_one_refused(
            rows in 0_usize..130,
            bad in proptest::collection::btree_set(0_usize..130, 0..20),
            blamed in proptest::collection::btree_set(0_usize..130, 0..20),
        ) {
            let bad: BTreeSet<usize> = bad.into_iter().filter(|row| *row < rows).collect();
            let (taken, refused, calls) = play(rows, &bad, |_| blamed.clone());
            let good: Vec<usize> = (0..rows).filter(|row| !bad.contains(row)).collect();
            prop_assert_eq!(taken, good);
            prop_assert_eq!(refused, bad);
            prop_assert!(calls <= 2 * rows + 2);
        }
    }
}
