//! Syntax trees to the typed model: `[DEFAULT]`, inheritance, interpolation, options by their types.

mod build;
pub(crate) mod buildout;
mod declaration;
mod farm_file;
mod files;
mod inherit;
mod interpolate;
mod notify;
pub(crate) mod placeholder;
mod relation;
mod requirement;
mod sheet;
mod slave;
mod source;
mod typed;
mod within;

pub use build::{Knowledge, Manifest, builds};
pub use buildout::Library;
pub(crate) use declaration::{TYPES, declaration, environment};
pub use farm_file::{FarmFile, FarmReading, Rewrite};
pub use files::{Files, Layout, find_farm};
pub use sheet::{Origin, Sheet};
pub(crate) use slave::names_a_password;
pub use slave::slaves;
pub use source::watch;
pub use within::Within;
