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
    /// Whether there are builds that could not be read, and are not among `builds`. Their mistakes have been reported.
    pub more_builds: bool,
    /// Whether there are slaves that could not be read, and are not among `slaves`. Their mistakes have been reported.
    pub more_slaves: bool,
}
