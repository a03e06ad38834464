//! A list that is written as it is made: the iterators that a closure gives come in, a sequence of any format goes out.

use serde::{Serialize, Serializer};

/// A list that is made as it is written: that of a big farm is nothing to keep.
pub(crate) struct Each<F>(pub(crate) F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}
