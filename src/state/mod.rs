//! Inert data: what the server knows besides the keys. Commands and the engine act on it; it acts on nothing.

pub mod acl;
mod aof;
mod block;
pub mod config;
#[cfg(feature = "scripting")]
pub mod functions;
#[cfg(not(feature = "scripting"))]
#[path = "functions/kept.rs"]
pub mod functions;
mod pubsub;
#[cfg(feature = "scripting")]
pub mod scripts;
mod server;
mod session;
mod slowlog;
mod tracking;

pub use aof::{Aof, Storage};
pub use block::{Block, BlockOn, TimeoutReply};
pub use config::{Config, SaveRule};
pub use pubsub::{PubSub, Scope};
pub use server::{
    CommandStats, Hindrance, LoadReport, Published, REDIS_VERSION, Request, Server, Stats,
};
#[cfg(feature = "debugger")]
pub use session::DebugMode;
pub use session::{Kind, Message, Multi, Queued, ReplyMode, Session, Sessions, Waiting};
pub use slowlog::{SlowEntry, Slowlog};
pub use tracking::{Invalidation, Tracking, TrackingTable};
