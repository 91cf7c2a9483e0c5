//! Runs the transcripts in `tests/spec/*.resp` against the engine, through its wire interface.
//!
//! `cargo test --test spec -- string "SET with"` runs only the cases whose file or title contains one of the words.
//! `REDSTART_SPEC_SERVER=127.0.0.1:6379` runs them against a live server instead.

#[path = "spec/engine.rs"]
mod engine;
#[path = "spec/file.rs"]
mod file;
#[path = "spec/play.rs"]
mod play;
#[path = "spec/server.rs"]
mod server;
#[path = "spec/value.rs"]
mod value;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use play::Host;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let mut host: Option<Box<dyn Host>> = None;
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for path in transcripts() {
        let name = format!(
            "tests/spec/{}",
            path.file_name().unwrap_or_default().to_string_lossy()
        );
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        let cases = match file::parse(&source) {
            Ok(cases) => cases,
            Err(why) => {
                println!("{name}: {why}");
                failed += 1;
                continue;
            }
        };
        for case in &cases {
            let wanted =
                |word: &String| name.contains(word.as_str()) || case.title.contains(word.as_str());
            if !words.is_empty() && !words.iter().any(wanted) {
                continue;
            }
            for &protocol in &case.protocols {
                let host = host.get_or_insert_with(open_host).as_mut();
                if play::is_beyond(host, case) {
                    skipped += 1;
                    continue;
                }
                match play::play(host, case, protocol, &name) {
                    Ok(()) => passed += 1,
                    Err(why) => {
                        println!(
                            "{name}:{}: {} (RESP{protocol})\n  {why}",
                            case.line, case.title
                        );
                        failed += 1;
                    }
                }
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn open_host() -> Box<dyn Host> {
    match std::env::var("REDSTART_SPEC_SERVER") {
        Ok(address) => Box::new(server::Server::new(&address).expect("the server answers")),
        Err(_) => Box::new(engine::InProcess::new()),
    }
}

fn transcripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "resp")
    });
    paths.sort();
    paths
}
