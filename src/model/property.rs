//! Properties: what is known of a build by name.

/// Whether a property can have this name: plans ask for it as `${property.NAME}`, and placeholders take these characters only.
pub fn is_property(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
