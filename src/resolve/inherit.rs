//! Which section inherits from which, and which section of a chain sets an option. What it costs is linear in the
//! sections, however deep they stand in each other.

use std::cell::RefCell;
use std::collections::HashMap;

/// A chain no longer than this is walked; for a longer one, what each section inherits is worked out for all at once.
const SHORT: usize = 16;

/// What sections inherit from, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Inheritance {
    /// What each section inherits from directly.
    parents: Vec<Option<usize>>,
    /// The sections, each after what it inherits from. Those of a circle stand twice, so that going through them in order
    /// comes around it.
    order: Vec<usize>,
    /// For the options that were asked for at the end of a long chain: which section sets it, for each section.
    setters: RefCell<HashMap<String, Vec<Option<usize>>>>,
}

impl Inheritance {
    /// Also gives the circles, each from its first section on.
    pub(super) fn new(parents: Vec<Option<usize>>) -> (Self, Vec<Vec<usize>>) {
        let mut order = Vec::with_capacity(parents.len());
        let mut circles = Vec::new();
        let mut done = vec![false; parents.len()];
        // Where each section stands in the chain that is being followed.
        let mut place: Vec<Option<usize>> = vec![None; parents.len()];
        for section in 0..parents.len() {
            let mut chain = Vec::new();
            let mut next = Some(section);
            while let Some(at) = next.filter(|at| !done[*at] && place[*at].is_none()) {
                place[at] = Some(chain.len());
                chain.push(at);
                next = parents[at];
            }
            if let Some(begin) = next.filter(|at| !done[*at]).and_then(|at| place[at]) {
                let mut circle = chain.split_off(begin);
                order.extend(circle.iter().rev());
                order.extend(circle.iter().rev());
                circle.iter().for_each(|at| done[*at] = true);
                let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or(0);
                circle.rotate_left(first);
                circles.push(circle);
            }
            chain.iter().for_each(|at| done[*at] = true);
            order.extend(chain.into_iter().rev());
        }
        (Self { parents, order, setters: RefCell::default() }, circles)
    }

    /// The nearest of `section` and what it inherits from that sets an option.
    pub(super) fn setter(&self, section: usize, option: &str, sets: impl Fn(usize) -> bool) -> Option<usize> {
        let mut at = section;
        for _ in 0..SHORT {
            if sets(at) {
                return Some(at);
            }
            at = self.parent(at)?;
        }
        if let Some(setters) = self.setters.borrow().get(option) {
            return setters[at];
        }
        let mut setters = vec![None; self.parents.len()];
        for at in &self.order {
            setters[*at] = if sets(*at) { Some(*at) } else { self.parent(*at).and_then(|parent| setters[parent]) };
        }
        let found = setters[at];
        self.setters.borrow_mut().insert(option.to_owned(), setters);
        found
    }

    /// A section from which `section` inherits an option, if there is one near: this is for a message, and any name can be
    /// asked for.
    pub(super) fn nearby(&self, section: usize, sets: impl Fn(usize) -> bool) -> Option<usize> {
        let above = std::iter::successors(self.parent(section), |at| self.parent(*at));
        above.take(SHORT).find(|at| sets(*at))
    }

    /// A section and what it inherits from, the nearest first. Where a circle was reported, some come more than once.
    pub(super) fn chain(&self, section: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(section), |at| self.parent(*at)).take(self.parents.len())
    }

    fn parent(&self, section: usize) -> Option<usize> {
        self.parents.get(section).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_once_and_end() {
        // 0 → 1 → 2 → 3 → 1, and 4 → 4.
        let (inheritance, circles) = Inheritance::new(vec![Some(1), Some(2), Some(3), Some(1), Some(4)]);
        assert_eq!(circles, [vec![1, 2, 3], vec![4]]);
        for section in 0..4 {
            assert_eq!(inheritance.setter(section, "a", |at| at == 2), Some(2));
            assert_eq!(inheritance.setter(section, "b", |_| false), None);
        }
    }

    #[test]
    fn a_long_chain_is_followed_to_its_end() {
        let length: usize = 100_000;
        let (inheritance, circles) = Inheritance::new((0..length).map(|at| at.checked_sub(1)).collect());
        assert!(circles.is_empty());
        for section in 0..length {
            assert_eq!(inheritance.setter(section, "a", |at| at % 1000 == 0), Some(section / 1000 * 1000));
            assert_eq!(inheritance.setter(section, "b", |_| false), None);
        }
    }
}
