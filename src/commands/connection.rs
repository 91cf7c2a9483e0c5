//! Commands of the group connection.

use crate::table::Command;

pub const ROWS: &[Command] = &[];
