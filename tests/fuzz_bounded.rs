//! A bounded, repeatable run of the fuzzers' properties. `REDSTART_SEED` gives the seed, `REDSTART_RUNS` how many inputs.

#[path = "fuzz/files.rs"]
mod files;
#[allow(dead_code)] // What files hold is asked in tests/rdb.rs.
#[path = "rdb/forms.rs"]
mod forms;
#[path = "fuzz/payloads.rs"]
mod payloads;
#[path = "fuzz/properties.rs"]
mod properties;
#[path = "fuzz/snapshots.rs"]
mod snapshots;
#[path = "fuzz/streams.rs"]
mod streams;
#[allow(dead_code)] // Printing and matching serve the transcripts.
#[path = "spec/value.rs"]
mod value;

use redstart::algorithms::rng::Rng;

/// Runs a property on inputs made from consecutive seeds; a failure names the seed that repeats it alone.
fn run(property: fn(&[u8]), most_bytes: u64, default_runs: u64) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seed = number("REDSTART_SEED").unwrap_or(1);
    let runs = number("REDSTART_RUNS").unwrap_or(default_runs);
    for seed in seed..seed + runs {
        let mut rng = Rng::new([seed, 0]);
        let mut data = vec![0; 1 + rng.below(most_bytes) as usize];
        rng.fill(&mut data);
        let outcome = std::panic::catch_unwind(|| property(&data));
        assert!(
            outcome.is_ok(),
            "repeat with REDSTART_SEED={seed} REDSTART_RUNS=1"
        );
    }
}

#[test]
fn replies_to_any_bytes_are_well_formed() {
    run(properties::resp, 400, 3000);
}

#[test]
fn the_keyspace_survives_any_commands() {
    run(properties::commands, 4000, 120);
}

#[test]
fn any_file_loads_whole_or_not_at_all() {
    run(snapshots::snapshot, 300, 1500);
}

#[test]
fn any_payload_is_read_or_refused() {
    run(snapshots::payload, 60, 20_000);
}

#[test]
fn a_damaged_payload_is_refused_or_makes_a_sound_value() {
    run(payloads::damaged_payload, 500, 1000);
}

#[test]
fn a_changed_file_is_refused_or_makes_a_sound_data_set() {
    run(files::changed_file, 60, 150);
}

#[test]
fn a_changed_object_is_refused_or_makes_a_sound_value() {
    run(files::changed_object, 60, 40);
}

#[test]
fn a_changed_log_is_refused_or_run_up_to_where_it_is_good() {
    run(files::changed_log, 60, 100);
}

/// `cargo test --test fuzz_bounded -- --ignored` before `cargo fuzz run rdb`, `... restore` or `... replay`.
#[test]
#[ignore = "writes fuzz/corpus, what the fuzzers begin with"]
fn write_the_corpus() {
    type Seeds = fn() -> Vec<Vec<u8>>;
    let targets: [(&str, Seeds); 3] = [
        ("rdb", files::files),
        ("restore", files::objects),
        ("replay", files::logs),
    ];
    for (name, seeds) in targets {
        let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for (number, seed) in seeds().into_iter().enumerate() {
            std::fs::write(format!("{folder}/seed-{number}"), seed).expect("a file");
        }
    }
}
