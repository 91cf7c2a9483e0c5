//! The state layer; see the code map in the crate documentation.
