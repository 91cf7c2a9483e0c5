//! The house rules as tests: layers, lengths, names, where `unsafe` may stand. They read the sources as text.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first; a layer imports only layers before it.
const LAYERS: [&str; 13] = [
    "algorithms",
    "structures",
    "resp",
    "lua",
    "values",
    "keyspace",
    "formats",
    "state",
    "table",
    "commands",
    "modules",
    "engine",
    "wasm",
];
const FILE_LINES: usize = 800;
const FUNCTION_LINES: usize = 80;
/// The loop of the Lua machine: an arm for each operation, and slow as soon as it is more than one function.
const INTERPRETER: (&str, &str) = ("src/lua/execute.rs", "fn run_frames(");
const BANNED_NAMES: [&str; 6] = ["util", "utils", "helpers", "common", "manager", "misc"];
const TOP_LEVEL: [&str; 31] = [
    ".cargo",
    ".ci",
    ".github",
    ".gitignore",
    ".gitattributes",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benches",
    "biome.json",
    "clippy.toml",
    "docs",
    "examples",
    "fuzz",
    "js",
    "package-lock.json",
    "package.json",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "scripts",
    "src",
    "tests",
    "tsconfig.json",
    "tsconfig.build.json",
    "vitest.config.mjs",
    "webdriver.json",
    "www",
];
/// What builds and runs leave behind; git ignores all of it.
const LEFT_BEHIND: [&str; 9] = [
    ".cache",
    ".git",
    ".tools",
    ".vscode",
    ".wrangler",
    "node_modules",
    "pkg",
    "target",
    "test-results",
];

struct Source {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl Source {
    /// The lines before the file's own tests.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_tests = |line: &&str| line.trim() == "#[cfg(test)]";
        let lines = self.text.lines().enumerate();
        lines
            .take_while(move |(_, line)| !is_tests(line))
            .map(|(index, line)| (index + 1, line))
    }

    fn is_test_file(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.contains("/tests/")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file with one of the extensions under the folders, build output left out.
fn sources(folders: &[&str], extensions: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(path) = open.pop() {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        if path.is_dir() && !["target", "node_modules", "dist", "corpus"].contains(&name.as_str()) {
            open.extend(
                fs::read_dir(&path)
                    .expect("a readable folder")
                    .flatten()
                    .map(|entry| entry.path()),
            );
        }
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        if path.is_file() && extensions.contains(&extension.as_str()) {
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let path = path
                .strip_prefix(root())
                .expect("under the root")
                .to_string_lossy()
                .replace('\\', "/");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn rust_sources() -> Vec<Source> {
    let found = sources(&["src"], &["rs"]);
    assert!(
        found.len() > 10,
        "the sources are where they are looked for"
    );
    found
}

/// A line without its comment; strings that hold `//` are cut too, which no rule here minds.
fn code(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether `word` stands in the text on its own.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text.as_bytes()[..at]
            .last()
            .is_some_and(|&byte| is_word_byte(byte));
        let after = text
            .as_bytes()
            .get(at + word.len())
            .is_some_and(|&byte| is_word_byte(byte));
        !before && !after
    })
}

/// Fails with every complaint at once.
fn report(rule: &str, complaints: &[String]) {
    let mut text = String::new();
    for complaint in complaints {
        let _ = write!(text, "\n  {complaint}");
    }
    assert!(complaints.is_empty(), "{rule}:{text}");
}

/// The names that follow `crate::` in a text, groups `crate::{a, b}` included.
fn crate_imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, marker) in text.match_indices("crate::") {
        let rest = &text[at + marker.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push(
                rest.bytes()
                    .take_while(|&byte| is_word_byte(byte))
                    .map(char::from)
                    .collect(),
            );
            continue;
        };
        let (mut depth, mut name) = (0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                _ if depth == 0 => name.push(c),
                _ => {}
            }
        }
        found.push(name);
    }
    let first = |name: String| {
        name.trim()
            .split("::")
            .next()
            .unwrap_or("")
            .trim()
            .to_string()
    };
    found
        .into_iter()
        .map(first)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn layers_import_only_lower_layers() {
    let rank = |layer: &str| LAYERS.iter().position(|name| *name == layer);
    let mut complaints = Vec::new();
    for source in rust_sources() {
        let layer = source
            .path
            .split('/')
            .nth(1)
            .unwrap_or("")
            .trim_end_matches(".rs")
            .to_string();
        if layer == "lib" {
            continue;
        }
        let Some(own) = rank(&layer) else {
            complaints.push(format!("{}: {layer} is not a layer", source.path));
            continue;
        };
        let stripped: String = source
            .text
            .lines()
            .flat_map(|line| [code(line), "\n"])
            .collect();
        for import in crate_imports(&stripped) {
            if rank(&import).is_some_and(|other| other > own) {
                complaints.push(format!("{}: {layer} imports {import}", source.path));
            }
        }
    }
    report("a lower layer never imports a higher one", &complaints);
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::state::Server; use crate::{keyspace::{Db, Key}, table, resp::Reply}; crate::lua::run()";
    assert_eq!(
        crate_imports(text),
        ["state", "keyspace", "table", "resp", "lua"]
    );
}

#[test]
fn files_are_short() {
    let mut complaints = Vec::new();
    let code = sources(
        &["src", "js", "www", "tests", "scripts", "benches"],
        &["rs", "ts", "mjs", "js"],
    );
    for source in code.iter().filter(|source| !source.path.contains(".gen.")) {
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            complaints.push(format!("{}: {lines} lines", source.path));
        }
    }
    report(
        &format!("files have at most {FILE_LINES} lines"),
        &complaints,
    );
}

#[test]
fn functions_are_short() {
    let mut complaints = Vec::new();
    let product = rust_sources()
        .into_iter()
        .filter(|source| !source.is_test_file());
    for source in product.chain(sources(&["tests", "fuzz"], &["rs"])) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let body = line.trim_start();
            let is_function =
                has_word(code(body), "fn") && body.contains('(') && !body.starts_with("//");
            let indent = line.len() - body.len();
            if !is_function || body.ends_with(';') {
                continue;
            }
            // rustfmt puts a function's closing brace where its first line begins.
            let closes = |line: &&str| line.trim_end() == format!("{}}}", " ".repeat(indent));
            let Some(length) = lines[start..].iter().position(closes) else {
                continue;
            };
            let one_line = body.trim_end().ends_with('}');
            let is_known = body.contains(INTERPRETER.1) && source.path == INTERPRETER.0;
            if length + 1 > FUNCTION_LINES && !one_line && !is_known {
                complaints.push(format!(
                    "{}:{}: {} lines",
                    source.path,
                    start + 1,
                    length + 1
                ));
            }
        }
    }
    report(
        &format!("functions have at most {FUNCTION_LINES} lines"),
        &complaints,
    );
}

#[test]
fn names_say_what_things_are() {
    let mut complaints = Vec::new();
    let everything = sources(
        &["src", "js", "www", "tests", "scripts", "benches"],
        &["rs", "ts", "mjs", "resp"],
    );
    for source in everything {
        let parts = source
            .path
            .split(['/', '.', '-', '_'])
            .map(str::to_ascii_lowercase);
        if parts
            .into_iter()
            .any(|part| BANNED_NAMES.contains(&part.as_str()))
        {
            complaints.push(format!("{}: the file's name", source.path));
        }
        if !source.path.ends_with(".rs") {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            let words: Vec<&str> = code(line)
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .collect();
            for pair in words.windows(2) {
                let defines = ["mod", "struct", "enum", "trait", "type"].contains(&pair[0]);
                let name = pair[1].to_ascii_lowercase();
                if defines
                    && BANNED_NAMES
                        .iter()
                        .any(|banned| name == *banned || name.ends_with(banned))
                {
                    complaints.push(format!("{}:{}: {}", source.path, number + 1, pair[1]));
                }
            }
        }
    }
    report("names say what a thing is", &complaints);
}

#[test]
fn sources_are_ascii() {
    let mut complaints = Vec::new();
    let folders = [
        "src", "js", "www", "tests", "scripts", "benches", "fuzz", "examples",
    ];
    for source in sources(&folders, &["rs", "ts", "mjs", "js", "toml", "resp", "json"]) {
        for (number, line) in source
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_ascii())
        {
            complaints.push(format!("{}:{}: {line}", source.path, number + 1));
        }
    }
    report("sources are ASCII", &complaints);
}

#[test]
fn unsafe_stands_in_two_layers_and_is_argued() {
    let mut complaints = Vec::new();
    for source in rust_sources() {
        let allowed =
            source.path.starts_with("src/structures/") || source.path.starts_with("src/wasm/");
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let code = code(line);
            if !has_word(code, "unsafe") || code.contains("#[unsafe(") {
                continue;
            }
            if !allowed {
                complaints.push(format!(
                    "{}:{}: unsafe outside structures and wasm",
                    source.path,
                    index + 1
                ));
            }
            let from = index.saturating_sub(8);
            let argued = lines[from..=index]
                .iter()
                .any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
            let promises = code.contains("unsafe {") || code.contains("unsafe impl");
            if promises && !argued {
                complaints.push(format!(
                    "{}:{}: unsafe without a SAFETY comment",
                    source.path,
                    index + 1
                ));
            }
        }
    }
    report("unsafe code is confined and argued", &complaints);
}

#[test]
fn only_the_wasm_layer_knows_wasm_bindgen() {
    let mut complaints = Vec::new();
    for source in rust_sources()
        .iter()
        .filter(|source| !source.path.starts_with("src/wasm/"))
    {
        for (number, line) in source.text.lines().enumerate() {
            if ["wasm_bindgen", "js_sys", "web_sys"]
                .iter()
                .any(|name| code(line).contains(name))
            {
                complaints.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    report("wasm_bindgen is named in src/wasm only", &complaints);
}

#[test]
fn the_core_reads_no_clock_and_does_no_io() {
    let outside = [
        "std::time::",
        "std::fs::",
        "std::net::",
        "std::thread::",
        "std::env::",
        "println!(",
        "eprintln!(",
    ];
    let mut complaints = Vec::new();
    for source in rust_sources()
        .iter()
        .filter(|source| !source.is_test_file())
    {
        for (number, line) in source.product_lines() {
            if outside.iter().any(|name| code(line).contains(name)) {
                complaints.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    report(
        "time, randomness and bytes come in as arguments",
        &complaints,
    );
}

#[test]
fn nothing_panics_by_construction() {
    let panics = [
        ".unwrap()",
        ".expect(",
        "panic!(",
        "todo!(",
        "unimplemented!(",
        "unreachable!(",
    ];
    let mut complaints = Vec::new();
    for source in rust_sources()
        .iter()
        .filter(|source| !source.is_test_file())
    {
        for (number, line) in source.product_lines() {
            let line = code(line);
            // `const` evaluation panics at compile time, where it should.
            let found = panics.iter().find(|panic| line.contains(**panic));
            if let Some(panic) = found.filter(|_| !line.trim_start().starts_with("const ")) {
                complaints.push(format!("{}:{number}: {panic}", source.path));
            }
        }
    }
    report(
        "a panic kills the engine in the page: errors are values",
        &complaints,
    );
}

#[test]
fn the_top_level_holds_only_known_names() {
    let mut complaints = Vec::new();
    for entry in fs::read_dir(root()).expect("a readable root").flatten() {
        let name = entry.file_name().to_string_lossy().to_string();
        let known = TOP_LEVEL.contains(&name.as_str()) || LEFT_BEHIND.contains(&name.as_str());
        if !known && !name.ends_with(".tgz") {
            complaints.push(name);
        }
    }
    report(
        "a new name at the top level is a decision: add it to the list",
        &complaints,
    );
}

#[test]
fn every_command_has_a_transcript() {
    let engine = redstart::engine::Engine::new(redstart::engine::Options::default());
    let mut written = std::collections::BTreeSet::new();
    for source in sources(&["tests/spec"], &["resp"]) {
        for line in source.text.lines() {
            let after_client = line.trim_start_matches(|c: char| c.is_ascii_digit());
            let Some(command) = after_client.strip_prefix("> ") else {
                continue;
            };
            let mut words = command.split_whitespace().map(str::to_ascii_lowercase);
            let (first, second) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            written.insert(format!("{first}|{second}"));
            written.insert(first);
        }
    }
    let names = engine
        .lookup()
        .rows()
        .iter()
        .map(|row| String::from_utf8_lossy(&row.full_name()).to_string());
    let missing: Vec<String> = names.filter(|name| !written.contains(name)).collect();
    report(
        "every command is exercised by a transcript in tests/spec",
        &missing,
    );
}

#[test]
fn no_machine_is_named() {
    let places = ["home", "root", "tmp", "Users", "work"].map(|place| format!("/{place}/"));
    let mut complaints = Vec::new();
    let folders = [
        "src", "js", "www", "tests", "scripts", "benches", "fuzz", "examples", "docs", ".ci",
        ".github",
    ];
    for source in sources(
        &folders,
        &["rs", "ts", "mjs", "js", "toml", "json", "md", "yml"],
    ) {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(place) = places.iter().find(|place| line.contains(place.as_str())) {
                complaints.push(format!("{}:{}: {place}", source.path, number + 1));
            }
        }
    }
    report("nothing depends on one machine's folders", &complaints);
}
