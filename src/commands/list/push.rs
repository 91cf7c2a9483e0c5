//! Adding elements at the ends.

use crate::keyspace::Class;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
    string,
};
use crate::values::List;
use crate::values::list::End;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "lpush",
        doc: prose!("Adds elements at the head of a list, one after another; there is one if there was none.", "O(1) for each element"),
        run: lpush,
        ..PUSH
    },
    Command {
        name: "rpush",
        doc: prose!("Adds elements at the tail of a list, one after another; there is one if there was none.", "O(1) for each element"),
        run: rpush,
        ..PUSH
    },
    Command {
        name: "lpushx", since: "2.2.0",
        doc: prose!("Adds elements at the head of a list that exists.", "O(1) for each element"),
        run: lpushx,
        ..PUSH
    },
    Command {
        name: "rpushx", since: "2.2.0",
        doc: prose!("Adds elements at the tail of a list that exists.", "O(1) for each element"),
        run: rpushx,
        ..PUSH
    },
];

#[rustfmt::skip]
const PUSH: Command = Command {
    arity: -3, group: Group::List, since: "1.0.0",
    flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
    acl: Acl::LIST,
    keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
    args: args![key("key"), string("element").multiple()],
    reply: "int",
    ..BASE
};

fn lpush(ctx: &mut Ctx) -> Result {
    push(ctx, End::Left, false)
}

fn rpush(ctx: &mut Ctx) -> Result {
    push(ctx, End::Right, false)
}

fn lpushx(ctx: &mut Ctx) -> Result {
    push(ctx, End::Left, true)
}

fn rpushx(ctx: &mut Ctx) -> Result {
    push(ctx, End::Right, true)
}

fn push(ctx: &mut Ctx, end: End, must_exist: bool) -> Result {
    let (key, elements) = (ctx.arg(1), ctx.args.get(2..).unwrap_or(&[]));
    let add = |list: &mut List, limits: &_| {
        list.grow_by(elements, limits);
        for element in elements {
            list.push(element, end);
        }
        Ok((elements.len() as u64, list.view().len()))
    };
    let len = if must_exist {
        match ctx.keys.edit(key, add)? {
            None => {
                ctx.reply.int(0);
                return Ok(Outcome::Done);
            }
            Some(edited) => edited.value,
        }
    } else {
        ctx.keys.edit_or_new(key, add)?.value
    };
    ctx.reply.count(len);
    ctx.keys.notify(Class::LIST, end.push_name(), key);
    ctx.keys.grown(key);
    Ok(Outcome::Done)
}
