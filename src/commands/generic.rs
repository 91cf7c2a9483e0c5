//! Commands of the group generic.

use crate::table::Command;

pub const ROWS: &[Command] = &[];
