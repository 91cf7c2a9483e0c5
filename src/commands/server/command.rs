//! COMMAND: what the server knows about its commands, told from their rows.

use crate::table::Command;

pub const ROWS: &[Command] = &[];
