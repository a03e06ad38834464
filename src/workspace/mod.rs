//! A builder's folders on this machine, as its steps find them, and what steps left behind: for the runner, which performs
//! whole plans, and for the commands that make room for steps which others perform. Knows no plan but the files in it.

pub(crate) mod builder;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod stray;
