//! The farm: everything that its files say, typed.

use super::{Build, Declarations, Slave};

/// All builds and slaves of a farm.
#[derive(Debug, Default)]
pub struct Farm {
    /// The builds, in the order of the manifests and of their sections.
    pub builds: Vec<Build>,
    /// The slaves, in the order of the fragments and of their sections.
    pub slaves: Vec<Slave>,
    /// What is known of capabilities.
    pub declarations: Declarations,
}
