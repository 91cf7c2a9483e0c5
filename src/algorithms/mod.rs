//! The algorithms layer; see the code map in the crate documentation.
