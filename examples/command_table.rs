//! Prints the command table as JSON: what `npm run gen` makes the TypeScript types of.
//!
//! One object per command and per subcommand (`config|get`); a container itself only when it does something.

use redstart::commands::GROUPS;
use redstart::table::{Arg, ArgKind, Command, Flags};

fn main() {
    let mut rows = Vec::new();
    for row in GROUPS.iter().copied().flatten() {
        if row.subs.is_empty() {
            rows.push(command(row, row.name));
        }
        for sub in row.subs {
            rows.push(command(sub, &format!("{}|{}", row.name, sub.name)));
        }
    }
    println!("[{}]", rows.join(",\n"));
}

fn command(row: &Command, name: &str) -> String {
    let flags = Flags::NAMES
        .iter()
        .filter(|(bit, _)| row.is(*bit))
        .map(|(_, text)| quoted(text));
    let mut fields = vec![
        field("name", &quoted(name)),
        field("group", &quoted(row.group.name())),
        field("since", &quoted(row.since)),
        field("summary", &quoted(row.doc.summary)),
        field("reply", &quoted(row.reply)),
        field(
            "flags",
            &format!("[{}]", flags.collect::<Vec<_>>().join(",")),
        ),
        field("arguments", &arguments(row.args)),
    ];
    if let Some(deprecated) = &row.deprecated {
        fields.push(field("deprecated_since", &quoted(deprecated.since)));
    }
    format!("{{{}}}", fields.join(","))
}

fn arguments(args: &[Arg]) -> String {
    format!(
        "[{}]",
        args.iter().map(argument).collect::<Vec<_>>().join(",")
    )
}

fn argument(arg: &Arg) -> String {
    let (kind, within) = match arg.kind {
        ArgKind::Key => ("key", None),
        ArgKind::String => ("string", None),
        ArgKind::Integer => ("integer", None),
        ArgKind::Double => ("double", None),
        ArgKind::Pattern => ("pattern", None),
        ArgKind::UnixTime => ("unix-time", None),
        ArgKind::PureToken => ("pure-token", None),
        ArgKind::OneOf(args) => ("oneof", Some(args)),
        ArgKind::Block(args) => ("block", Some(args)),
    };
    let mut fields = vec![
        field("name", &quoted(arg.name)),
        field("type", &quoted(kind)),
    ];
    if let Some(token) = arg.token {
        fields.push(field("token", &quoted(token)));
    }
    for (name, is_set) in [
        ("optional", arg.is_optional),
        ("multiple", arg.is_multiple),
        ("multiple_token", arg.is_multiple_token),
    ] {
        if is_set {
            fields.push(field(name, "true"));
        }
    }
    if let Some(args) = within {
        fields.push(field("arguments", &arguments(args)));
    }
    format!("{{{}}}", fields.join(","))
}

fn field(name: &str, value: &str) -> String {
    format!("{}:{value}", quoted(name))
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if (control as u32) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", control as u32))
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
