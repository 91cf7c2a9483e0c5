//! Lists; a file for each concern. Every file has its own `ROWS`, all of them are listed in `GROUPS`.
//!
//! <https://redis.io/docs/latest/develop/data-types/lists/>

pub mod change;
pub mod pop;
pub mod push;
pub mod read;
pub mod transfer;

use crate::algorithms::num::parse_i64;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::Ctx;
use crate::values::list::End;

impl End {
    /// The end a command's word names.
    fn parse(word: &[u8]) -> Result<End, Error> {
        match () {
            () if word.eq_ignore_ascii_case(b"left") => Ok(End::Left),
            () if word.eq_ignore_ascii_case(b"right") => Ok(End::Right),
            () => Err(Error::SYNTAX),
        }
    }

    /// The command that pops there, and so the event.
    fn pop_name(self) -> &'static str {
        match self {
            End::Left => "lpop",
            End::Right => "rpop",
        }
    }

    fn push_name(self) -> &'static str {
        match self {
            End::Left => "lpush",
            End::Right => "rpush",
        }
    }
}

/// An integer that leaves room for its opposite.
fn mirrored(text: &[u8]) -> Result<i64, Error> {
    let number = parse_i64(text).ok_or(Error::NOT_INTEGER)?;
    match number {
        i64::MIN => Err(Error::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        number => Ok(number),
    }
}

/// Says that elements were taken out of a list, and that it is gone if none are left.
#[inline]
fn tell_removal(ctx: &mut Ctx, event: &'static str, key: &[u8], is_removed: bool) {
    ctx.keys.notify(Class::LIST, event, key);
    if is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
}
