//! Snapshots: all of them are in `snapshots/`, under the names that the tests give them.

/// Compares a text with its snapshot. Filters, if any, replace what differs from machine to machine: pairs of a regular
/// expression and what stands for it.
// A macro, so that a snapshot says which test file it comes from.
macro_rules! snapshot {
    ($name:expr, $text:expr $(, $filters:expr)?) => {
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"),
            prepend_module_to_snapshot => false,
            omit_expression => true,
            $(filters => $filters,)?
        }, { insta::assert_snapshot!($name, $text) })
    };
}

pub(crate) use snapshot;
