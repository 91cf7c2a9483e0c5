//! `docs/config.md` is made from the table of parameters: this test writes nothing unless asked to with
//! `REDSTART_WRITE=1 cargo test --test config_docs`, and fails when the page is not what it would write.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use redstart::state::config::{
    EFFECT, HIDDEN, HOST, IMMUTABLE, Kind, PARAMETERS, PROTECTED, Parameter,
};

const HEAD: &str = "# Configuration

Redstart knows every parameter of Redis 8.2.3 with its default, its bounds and its errors, in CONFIG GET and SET, in
`redis.conf` and as `--parameter value` on the command line of `npx redstart`. Many of them steer what is not here: threads,
replicas, forks, TLS. They can be read and set, and do nothing. This page says which ones do something. It is made from the
table in `src/state/config/table.rs` by `REDSTART_WRITE=1 cargo test --test config_docs`.

Directives of `redis.conf` that are not parameters: `include`, `rename-command` and `loadmodule` are refused;
the obsolete `io-threads-do-reads`, `list-max-ziplist-entries`, `list-max-ziplist-value` and `lua-replicate-commands` are
ignored, as Redis ignores them.
";

fn values(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "yes, no".to_owned(),
        Kind::Int(low, high) | Kind::Unsigned(low, high) => match *high {
            i64::MAX => format!("integer from {low}"),
            high => format!("{low} to {high}"),
        },
        Kind::Memory(low, _) => format!("size from {low}"),
        Kind::Percent => "size or percentage".to_owned(),
        Kind::Octal => "file mode".to_owned(),
        Kind::Enum(words) | Kind::Words(words) => words.replace('|', ", "),
        Kind::Text | Kind::Special(_) => "text".to_owned(),
    }
}

fn table(page: &mut String, title: &str, belongs: impl Fn(&Parameter) -> bool) {
    let _ = write!(
        page,
        "\n## {title}\n\n| parameter | default | values | set when |\n| --- | --- | --- | --- |\n"
    );
    for parameter in PARAMETERS.iter().filter(|parameter| belongs(parameter)) {
        let alias = match parameter.alias {
            "" => String::new(),
            alias => format!(" (`{alias}`)"),
        };
        let when = match () {
            () if parameter.is(IMMUTABLE) => "at the start",
            () if parameter.is(PROTECTED) => "with `enable-protected-configs`",
            () => "any time",
        };
        let default = match parameter.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let (name, values) = (parameter.name, values(&parameter.kind));
        let _ = writeln!(page, "| `{name}`{alias} | {default} | {values} | {when} |");
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    table(&mut page, "Obeyed by the engine", |parameter| {
        parameter.is(EFFECT)
    });
    table(&mut page, "Obeyed by the host", |parameter| {
        parameter.is(HOST)
    });
    let rest = |parameter: &Parameter| !parameter.is(EFFECT | HOST | HIDDEN);
    table(&mut page, "Without effect", rest);
    page
}

#[test]
fn the_page_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/config.md");
    let page = page();
    if std::env::var_os("REDSTART_WRITE").is_some() {
        fs::write(&path, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/config.md is old: REDSTART_WRITE=1 cargo test --test config_docs"
    );
}
