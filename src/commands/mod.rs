//! The commands: one file per Redis group, its rows on top as a table of contents, its functions below in the same
//! order.

pub mod array;
pub mod bitmap;
pub mod connection;
pub mod generic;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod pubsub;
#[cfg(feature = "scripting")]
pub mod scripting;
pub mod server;
pub mod sorted_set;
pub mod stream;
pub mod set;
pub mod string;
pub mod transactions;

use crate::table::Command;

/// The rows of every group. Registration is this list and nothing else.
pub const GROUPS: &[&[Command]] = &[
    string::ROWS,
    string::conditional::ROWS,
    string::increx::ROWS,
    generic::keys::ROWS,
    generic::expire::ROWS,
    generic::scan::ROWS,
    generic::object::ROWS,
    generic::sort::ROWS,
    generic::transfer::ROWS,
    generic::wait::ROWS,
    connection::ROWS,
    connection::client::ROWS,
    transactions::ROWS,
    pubsub::ROWS,
    bitmap::ROWS,
    hyperloglog::ROWS,
    list::push::ROWS,
    list::pop::ROWS,
    list::read::ROWS,
    list::change::ROWS,
    list::transfer::ROWS,
    stream::add::ROWS,
    stream::range::ROWS,
    stream::delete::ROWS,
    stream::read::ROWS,
    stream::group::ROWS,
    stream::pending::ROWS,
    stream::info::ROWS,
    array::ROWS,
    geo::ROWS,
    geo::search::ROWS,
    hash::fields::ROWS,
    hash::read::ROWS,
    hash::expire::ROWS,
    hash::with_expiry::ROWS,
    hash::import::ROWS,
    set::members::ROWS,
    set::random::ROWS,
    set::combine::ROWS,
    #[cfg(feature = "scripting")]
    scripting::eval::ROWS,
    #[cfg(feature = "scripting")]
    scripting::script::ROWS,
    #[cfg(feature = "scripting")]
    scripting::function::ROWS,
    #[cfg(feature = "scripting")]
    scripting::fcall::ROWS,
    server::command::ROWS,
    server::config::ROWS,
    server::data::ROWS,
    server::debug::ROWS,
    server::info::ROWS,
    server::memory::ROWS,
    server::acl::ROWS,
    server::observe::ROWS,
    sorted_set::add::ROWS,
    sorted_set::read::ROWS,
    sorted_set::range::ROWS,
    sorted_set::remove::ROWS,
    sorted_set::pop::ROWS,
    sorted_set::combine::ROWS,
    sorted_set::random::ROWS,
];
