//! Texts to syntax trees with spans, by the grammars of `grammar/`. Knows what is written, not what it means.

pub mod buildout;
pub mod filter;
pub mod ini;
pub mod words;
pub mod yaml;
