//! Commands of the group server, a file for each of its containers. Every file has its own `ROWS`, all of them are
//! listed in `GROUPS`.

pub mod command;
