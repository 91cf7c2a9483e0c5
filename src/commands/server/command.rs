//! COMMAND: what the server knows about its commands, told from their rows.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::glob;
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, Arg, ArgKind, BASE, Begin, Command, Ctx, Find, Flags, FoundKey, Group, KeyFlags, KeySpec,
    Lookup, Outcome, Resolved, Result, args, legacy_range, oneof, pattern, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "command", arity: -1, group: Group::Server, since: "2.8.13",
        flags: Flags::LOADING | Flags::STALE,
        acl: Acl::CONNECTION,
        tips: &["nondeterministic_output_order"],
        reply: "[[any]]",
        doc: prose!("Describes every command.", "O(N), N the number of commands"),
        subs: &[
            Command {
                name: "count", arity: 2, group: Group::Server, since: "2.8.13",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "int",
                doc: prose!("How many commands there are, subcommands not counted.", "O(1)"),
                run: count,
                ..BASE
            },
            Command {
                name: "docs", arity: -2, group: Group::Server, since: "7.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("command-name").optional().multiple()],
                tips: &["nondeterministic_output_order"],
                reply: "map<bulk,map<bulk,any>>",
                doc: prose!("Documents the named commands, or all of them.", "O(N), N the number of commands described"),
                run: docs,
                ..BASE
            },
            Command {
                name: "getkeys", arity: -3, group: Group::Server, since: "2.8.13",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("command"), string("arg").optional().multiple()],
                reply: "[bulk]",
                doc: prose!("Which arguments of a call are keys.", "O(N), N the number of arguments"),
                run: getkeys,
                ..BASE
            },
            Command {
                name: "getkeysandflags", arity: -3, group: Group::Server, since: "7.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("command"), string("arg").optional().multiple()],
                reply: "[[any]]",
                doc: prose!("Which arguments of a call are keys, and what the call does with each.", "O(N), N the number of arguments"),
                run: getkeysandflags,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Server, since: "5.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: help,
                ..BASE
            },
            Command {
                name: "info", arity: -2, group: Group::Server, since: "2.8.13",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("command-name").optional().multiple()],
                tips: &["nondeterministic_output_order"],
                reply: "[[any] | nil]",
                doc: prose!("Describes the named commands, or all of them.", "O(N), N the number of commands described"),
                run: info,
                ..BASE
            },
            Command {
                name: "list", arity: -2, group: Group::Server, since: "7.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("filterby", args![string("module-name").token("MODULE"), string("category").token("ACLCAT"), pattern("pattern").token("PATTERN")]).token("FILTERBY").optional()],
                tips: &["nondeterministic_output_order"],
                reply: "[bulk]",
                doc: prose!("The names of all commands, or of those a filter lets through.", "O(N), N the number of commands"),
                run: list,
                ..BASE
            },
        ],
        run: command,
        ..BASE
    },
];

fn command(ctx: &mut Ctx) -> Result {
    let all: Vec<Resolved> = top_level(ctx.lookup).collect();
    ctx.reply.array(all.len());
    for row in all {
        write_info(ctx.reply, ctx.lookup, row);
    }
    Ok(Outcome::Done)
}

fn count(ctx: &mut Ctx) -> Result {
    ctx.reply.count(top_level(ctx.lookup).count());
    Ok(Outcome::Done)
}

fn docs(ctx: &mut Ctx) -> Result {
    let rows: Vec<Resolved> = match ctx.args.get(2..) {
        Some(names) if !names.is_empty() => names
            .iter()
            .filter_map(|name| find_full(ctx.lookup, name))
            .collect(),
        _ => top_level(ctx.lookup).collect(),
    };
    ctx.reply.map(rows.len());
    for row in rows {
        ctx.reply.bulk(&row.full_name());
        write_docs(ctx.reply, ctx.lookup, row);
    }
    Ok(Outcome::Done)
}

fn getkeys(ctx: &mut Ctx) -> Result {
    let found = keys_of(ctx)?;
    ctx.reply.array(found.len());
    for key in found {
        ctx.reply.bulk(ctx.arg(2 + key.at));
    }
    Ok(Outcome::Done)
}

fn getkeysandflags(ctx: &mut Ctx) -> Result {
    let found = keys_of(ctx)?;
    ctx.reply.array(found.len());
    for key in found {
        ctx.reply.array(2);
        ctx.reply.bulk(ctx.arg(2 + key.at));
        write_key_flags(ctx.reply, key.flags);
    }
    Ok(Outcome::Done)
}

/// The keys of the call that stands behind COMMAND GETKEYS.
fn keys_of(ctx: &Ctx) -> core::result::Result<Vec<FoundKey>, Error> {
    let call = ctx.args.get(2..).unwrap_or(&[]);
    let (name, sub) = (ctx.arg(2), call.get(1));
    let row = ctx.lookup.find(name).and_then(|row| match sub {
        Some(sub) if !row.row.subs.is_empty() => ctx.lookup.find_sub(row, sub),
        _ => Some(row),
    });
    let row = row.ok_or(Error::new("ERR Invalid command specified"))?.row;
    if !row.has_keys() {
        return Err(Error::new("ERR The command has no key arguments"));
    }
    if !row.accepts(call.len()) {
        return Err(Error::new(
            "ERR Invalid number of arguments specified for command",
        ));
    }
    let found = row.find_keys(call);
    if found.is_empty() && !row.is(Flags::NO_MANDATORY_KEYS) {
        return Err(Error::new("ERR Invalid arguments specified for command"));
    }
    Ok(found)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "command",
        &[
            "(no subcommand)",
            "    Return details about all Redis commands.",
            "COUNT",
            "    Return the total number of commands in this Redis server.",
            "LIST",
            "    Return a list of all commands in this Redis server.",
            "INFO [<command-name> ...]",
            "    Return details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "DOCS [<command-name> ...]",
            "    Return documentation details about multiple Redis commands.",
            "    If no command names are given, documentation details for all",
            "    commands are returned.",
            "GETKEYS <full-command>",
            "    Return the keys from a full Redis command.",
            "GETKEYSANDFLAGS <full-command>",
            "    Return the keys and the access flags from a full Redis command.",
        ],
    )
}

fn info(ctx: &mut Ctx) -> Result {
    let names = match ctx.args.get(2..) {
        Some(names) if !names.is_empty() => names,
        _ => return command(ctx),
    };
    ctx.reply.array(names.len());
    for name in names {
        match find_full(ctx.lookup, name) {
            Some(row) => write_info(ctx.reply, ctx.lookup, row),
            None => ctx.reply.nil(),
        }
    }
    Ok(Outcome::Done)
}

fn list(ctx: &mut Ctx) -> Result {
    let rows = ctx.lookup.rows().iter();
    let names: Vec<Vec<u8>> = match ctx.args.get(2..).unwrap_or(&[]) {
        [] => rows.map(Resolved::full_name).collect(),
        [word, by, value] if word.is_word(b"FILTERBY") => {
            let filter = Filter::parse(by, value)?;
            rows.filter(|row| filter.lets_through(row))
                .map(Resolved::full_name)
                .collect()
        }
        _ => return Err(Error::SYNTAX),
    };
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(&name);
    }
    Ok(Outcome::Done)
}

/// What COMMAND LIST is narrowed to.
enum Filter<'a> {
    /// No module brings commands here.
    Module,
    /// A bit of [`Acl`]; 0 for a category there is not.
    Category(u32),
    Pattern(&'a [u8]),
}

impl<'a> Filter<'a> {
    fn parse(by: &[u8], value: &'a [u8]) -> core::result::Result<Filter<'a>, Error> {
        if by.is_word(b"MODULE") {
            Ok(Filter::Module)
        } else if by.is_word(b"ACLCAT") {
            let named = |(_, name): &&(u32, &str)| value.is_word(name.as_bytes());
            let bit = Acl::NAMES.iter().find(named).map_or(0, |(bit, _)| *bit);
            Ok(Filter::Category(bit))
        } else if by.is_word(b"PATTERN") {
            Ok(Filter::Pattern(value))
        } else {
            Err(Error::SYNTAX)
        }
    }

    fn lets_through(&self, row: &Resolved) -> bool {
        match self {
            Filter::Module => false,
            Filter::Category(bit) => row.row.categories() & bit != 0,
            Filter::Pattern(pattern) => glob::matches_nocase(pattern, &row.full_name()),
        }
    }
}

/// The commands that are no subcommands.
fn top_level(lookup: &Lookup) -> impl Iterator<Item = Resolved> {
    let rows = lookup.rows().iter().copied();
    rows.filter(|row| row.container.is_none())
}

/// `get` or `client|list`, in any case.
fn find_full(lookup: &Lookup, name: &[u8]) -> Option<Resolved> {
    match name.iter().position(|&byte| byte == b'|') {
        None => lookup.find(name),
        Some(bar) => {
            let (container, sub) = name.split_at(bar);
            lookup.find_sub(lookup.find(container)?, &sub[1..])
        }
    }
}

fn write_info(reply: &mut Reply, lookup: &Lookup, row: Resolved) {
    let command = row.row;
    let (first, last, step) = legacy_range(command.keys);
    reply.array(10);
    reply.bulk(&row.full_name());
    reply.int(i64::from(command.arity));
    // Whether a command may be replicated is nobody's business outside.
    write_bits(
        reply,
        Flags::NAMES,
        command.flags & !Flags::MAY_REPLICATE,
        "",
    );
    reply.int(first);
    reply.int(last);
    reply.int(step);
    write_bits(reply, Acl::NAMES, command.categories(), "@");
    reply.set(command.tips.len());
    for tip in command.tips {
        reply.bulk_str(tip);
    }
    reply.set(command.keys.len());
    for spec in command.keys {
        write_key_spec(reply, spec);
    }
    let subs: Vec<Resolved> = subcommands(lookup, row).collect();
    if subs.is_empty() {
        return reply.set(0);
    }
    reply.array(subs.len());
    for sub in subs {
        write_info(reply, lookup, sub);
    }
}

fn subcommands(lookup: &Lookup, row: Resolved) -> impl Iterator<Item = Resolved> {
    let subs = row.row.subs.iter();
    subs.filter_map(move |sub| lookup.find_sub(row, sub.name.as_bytes()))
}

/// The names of the bits that are set, as a set of statuses.
fn write_bits(reply: &mut Reply, names: &[(u32, &str)], bits: u32, prefix: &str) {
    let set = names.iter().filter(|(bit, _)| bits & bit != 0);
    reply.set(set.clone().count());
    for (_, name) in set {
        reply.status(&[prefix, name].concat());
    }
}

fn write_key_flags(reply: &mut Reply, flags: u32) {
    write_bits(reply, KeyFlags::NAMES, flags, "");
}

fn write_key_spec(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3 + usize::from(spec.note.is_some()));
    if let Some(note) = spec.note {
        write_text(reply, "notes", note);
    }
    reply.bulk_str("flags");
    write_key_flags(reply, spec.flags);
    reply.bulk_str("begin_search");
    match spec.begin {
        Begin::Index(at) => write_search(reply, "index", &[("index", at)]),
        Begin::Keyword(word, from) => {
            reply.map(2);
            write_text(reply, "type", "keyword");
            reply.bulk_str("spec");
            reply.map(2);
            write_text(reply, "keyword", word);
            reply.bulk_str("startfrom");
            reply.int(i64::from(from));
        }
        Begin::Unknown => write_search(reply, "unknown", &[]),
    }
    reply.bulk_str("find_keys");
    match spec.find {
        Find::Range { last, step, limit } => write_search(
            reply,
            "range",
            &[("lastkey", last), ("keystep", step), ("limit", limit)],
        ),
        Find::KeyNum { at, first, step } => write_search(
            reply,
            "keynum",
            &[("keynumidx", at), ("firstkey", first), ("keystep", step)],
        ),
        Find::Unknown => write_search(reply, "unknown", &[]),
    }
}

/// Half of a key spec: its type and its numbers.
fn write_search(reply: &mut Reply, kind: &str, numbers: &[(&str, i16)]) {
    reply.map(2);
    write_text(reply, "type", kind);
    reply.bulk_str("spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk_str(name);
        reply.int(i64::from(*number));
    }
}

fn write_text(reply: &mut Reply, name: &str, text: &str) {
    reply.bulk_str(name);
    reply.bulk_str(text);
}

/// A map under construction: pairs are counted as they are written.
struct Pairs<'a> {
    reply: &'a mut Reply,
    count: usize,
}

impl Pairs<'_> {
    fn name(&mut self, name: &str) -> &mut Reply {
        self.count += 1;
        self.reply.bulk_str(name);
        self.reply
    }

    /// Nothing when there is no text.
    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.name(name).bulk_str(text);
        }
    }
}

/// Writes a map of as many pairs as `write` turns out to write.
fn write_pairs(reply: &mut Reply, write: impl FnOnce(&mut Pairs)) {
    let mark = reply.mark();
    let mut pairs = Pairs { reply, count: 0 };
    write(&mut pairs);
    let count = pairs.count;
    reply.close_map(mark, count);
}

fn write_docs(reply: &mut Reply, lookup: &Lookup, row: Resolved) {
    let command = row.row;
    write_pairs(reply, |pairs| {
        pairs.text("summary", command.doc.summary);
        pairs.text("since", command.since);
        pairs.text("group", command.group.name());
        pairs.text("complexity", command.doc.complexity);
        let marks = [
            (command.deprecated.is_some(), "deprecated"),
            (command.is_system, "syscmd"),
        ];
        let marks: Vec<&str> = marks
            .iter()
            .filter_map(|(is_set, name)| is_set.then_some(*name))
            .collect();
        if !marks.is_empty() {
            let reply = pairs.name("doc_flags");
            reply.set(marks.len());
            marks.iter().for_each(|mark| reply.status(mark));
        }
        if let Some(deprecated) = command.deprecated {
            pairs.text("deprecated_since", deprecated.since);
            pairs.text("replaced_by", deprecated.replaced_by);
        }
        if cfg!(feature = "docs") && !command.args.is_empty() {
            write_args(pairs.name("arguments"), command.args);
        }
        if !command.subs.is_empty() {
            let reply = pairs.name("subcommands");
            reply.map(command.subs.len());
            for sub in subcommands(lookup, row) {
                reply.bulk(&sub.full_name());
                write_docs(reply, lookup, sub);
            }
        }
    });
}

fn write_args(reply: &mut Reply, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        write_pairs(reply, |pairs| write_arg(pairs, arg));
    }
}

fn write_arg(pairs: &mut Pairs, arg: &Arg) {
    let (kind, within): (&str, &[Arg]) = match arg.kind {
        ArgKind::Key => ("key", &[]),
        ArgKind::String => ("string", &[]),
        ArgKind::Integer => ("integer", &[]),
        ArgKind::Double => ("double", &[]),
        ArgKind::Pattern => ("pattern", &[]),
        ArgKind::UnixTime => ("unix-time", &[]),
        ArgKind::PureToken => ("pure-token", &[]),
        ArgKind::OneOf(within) => ("oneof", within),
        ArgKind::Block(within) => ("block", within),
    };
    let name = arg.name.to_ascii_lowercase();
    pairs.text("name", &name);
    pairs.text("type", kind);
    if within.is_empty() {
        pairs.text("display_text", arg.display.unwrap_or(&name));
    }
    if matches!(arg.kind, ArgKind::Key) || arg.key_spec > 0 {
        pairs.name("key_spec_index").int(i64::from(arg.key_spec));
    }
    if let Some(token) = arg.token {
        // The token of an argument that may be left empty is itself empty.
        pairs.name("token").bulk_str(token);
    }
    pairs.text("since", arg.since.unwrap_or(""));
    pairs.text("deprecated_since", arg.deprecated.unwrap_or(""));
    let flags = [
        (arg.is_optional, "optional"),
        (arg.is_multiple, "multiple"),
        (arg.is_multiple_token, "multiple_token"),
    ];
    let flags: Vec<&str> = flags
        .iter()
        .filter_map(|(is_set, name)| is_set.then_some(*name))
        .collect();
    if !flags.is_empty() {
        let reply = pairs.name("flags");
        reply.set(flags.len());
        flags.iter().for_each(|flag| reply.status(flag));
    }
    if !within.is_empty() {
        write_args(pairs.name("arguments"), within);
    }
}
