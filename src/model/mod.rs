//! The typed model of a farm. Types and their parsing; no input or output happens here.

mod address;
mod build;
mod capability;
mod change;
mod configuration;
mod farm;
mod filter;
pub mod inventory;
mod notification;
mod option;
mod property;
mod retention;
mod secret;
mod secret_source;
mod slave;
mod version;

pub use address::launchpad;
pub use build::{Build, Buildout, BuildoutSource, Inside, StepUse, Vcs, Watch};
pub use capability::{
    Declaration, Declarations, Dispatch, Offer, OfferOption, OfferValue, OptionDeclaration, Properties, Requirement,
    Variant,
};
pub use change::{Change, Trigger, WatchedBranch, Wish};
pub use configuration::{Configuration, ConfigurationOption, ConfigurationSection, leads_out, normal};
pub use farm::Farm;
pub use filter::{Criterion, Filter, Operator, satisfiable};
pub use notification::{Each, Mail, Means, Notification, Occasion, Via, timeout};
pub use option::{Declared, DeclaredOptions, OptionType, Value};
pub use property::{Reference, is_property, no_reference, references};
pub use retention::{Retention, Size, age};
pub use secret::{Credentials, Secret, Secrets, credentials, masked, users, without_credentials};
pub use secret_source::SecretSource;
pub use slave::{Priority, Slave};
pub use version::Version;
