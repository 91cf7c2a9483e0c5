//! Commands of the group server, a file for each of its containers. Every file has its own `ROWS`, all of them are
//! listed in `GROUPS`.

pub mod acl;
pub mod command;
pub mod config;
pub mod data;
pub mod debug;
mod digest;
pub mod info;
mod lolwut;
pub mod memory;
pub mod observe;

/// The Redis this server behaves like.
pub use crate::state::REDIS_VERSION as VERSION;
