//! Commands of the group server.

use crate::table::Command;

pub const ROWS: &[Command] = &[];
