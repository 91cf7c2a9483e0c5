//! What must hold for every file that is loaded as a snapshot, and for every payload that is restored.

use redstart::algorithms::hash::HashSeed;
use redstart::algorithms::lzf;
use redstart::engine::{Engine, Modules, Options, Purpose};
use redstart::formats::dump;
use redstart::formats::objects::Loaded;
use redstart::formats::rdb;
use redstart::formats::snapshot::{Attributes, Item, Options as Form, Reader, Usage, Writer};
use redstart::values::Limits;

use super::streams::Source;

const START_MS: i64 = 1_700_000_000_000;

/// A file that is whole, damaged or nonsense: no panic; what is refused leaves the data set as it was; what is taken is
/// saved and loaded again without a difference.
pub fn snapshot(data: &[u8]) {
    let mut source = Source::new(data);
    let file = match source.below(4) {
        0 => source.rest().to_vec(),
        1 => [b"REDIS0012", source.rest()].concat(),
        _ => damaged_file(&mut source),
    };
    let mut engine = engine();
    let before = saved(&mut engine);
    let mut cuts = Source::new(data);
    match loaded(&mut engine, &file, || 1 + cuts.below(200)) {
        Err(text) => {
            assert!(text.is_ascii(), "a message is text: {text:?}");
            assert_eq!(
                saved(&mut engine),
                before,
                "a refused file has changed something"
            );
        }
        Ok(()) => {
            let first = saved(&mut engine);
            let mut other = self::engine();
            loaded(&mut other, &first, || 4096).expect("an own file loads");
            let again = saved(&mut other);
            assert_eq!(
                entries(&again),
                entries(&first),
                "saved, loaded and saved again"
            );
        }
    }
}

/// The entries of a whole file, each with its database, in no file's order.
fn entries(file: &[u8]) -> Vec<String> {
    let mut rows = Vec::new();
    let mut database = 0;
    let mut reader = Reader::new(limits(), Modules::Refuse);
    let collected = reader.feed(file, |item| {
        match item {
            Item::Database { index } => database = index,
            Item::Entry { .. } => rows.push(format!("{database} {item:?}")),
            _ => {}
        }
        Ok(())
    });
    assert_eq!((collected, reader.finish()), (Ok(()), Ok(())));
    rows.sort();
    rows
}

/// A payload of a sealed, often senseless object, and a compressed string: no panic, and no more than was announced.
pub fn payload(data: &[u8]) {
    let mut sealed = data.to_vec();
    dump::write_footer(&mut sealed, 0);
    let _ = dump::read(&sealed, &limits());
    let _ = dump::read(data, &limits());
    let length = data.first().map_or(0, |byte| *byte as usize * 4);
    let mut text = b"in front".to_vec();
    let is_whole = lzf::decompress(data, &mut text, length).is_some();
    assert_eq!(text.len(), 8 + if is_whole { length } else { 0 });
    if let Ok(Loaded::String(text)) = dump::read(&sealed, &limits()) {
        let mut again = vec![rdb::TYPE_STRING];
        rdb::write_string(&mut again, &text, Some(&mut lzf::Compressor::new()));
        dump::write_footer(&mut again, 0);
        let Ok(Loaded::String(back)) = dump::read(&again, &limits()) else {
            panic!("an own payload is not read");
        };
        assert_eq!(back, text);
    }
}

fn limits() -> Limits {
    Limits::new(HashSeed::new(1, 2))
}

fn engine() -> Engine {
    Engine::new(Options {
        seed: [3, 5],
        now_ms: START_MS,
        ..Options::default()
    })
}

/// A valid file with some bytes changed, cut off or added.
fn damaged_file(source: &mut Source) -> Vec<u8> {
    let form = Form {
        compression: source.chance(50),
        checksum: source.chance(30),
        ..Form::default()
    };
    let mut writer = Writer::new(form);
    let mut file = Vec::new();
    writer.begin(&mut file);
    writer.aux(&mut file, b"redis-ver", b"8.2.3");
    for database in 0..source.below(3) as u64 {
        writer.database(&mut file, database * 7, 3, 1);
        for number in 0..source.below(4) {
            let key = [b'k', number as u8];
            let value = vec![b'v'; source.below(80)];
            let attributes = Attributes {
                expire_ms: source.chance(30).then_some(START_MS + 100_000),
                usage: source.chance(30).then_some(Usage::IdleSeconds(10)),
            };
            writer.string(&mut file, &key, &value, &attributes);
        }
    }
    writer.end(&mut file);
    for _ in 0..source.below(4) {
        let at = source.below(file.len());
        match source.below(4) {
            0 => file.truncate(at + 1),
            1 => file.insert(at, source.below(256) as u8),
            _ => file[at] = source.below(256) as u8,
        }
    }
    file
}

fn loaded(
    engine: &mut Engine,
    file: &[u8],
    mut piece: impl FnMut() -> usize,
) -> Result<(), Vec<u8>> {
    engine.begin_load(Modules::Refuse);
    let mut rest = file;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece().min(rest.len()));
        engine
            .load_chunk(now)
            .map_err(|error| error.text().to_vec())?;
        rest = later;
    }
    let ended = engine.end_load();
    ended.map(drop).map_err(|error| error.text().to_vec())
}

fn saved(engine: &mut Engine) -> Vec<u8> {
    let mut file = Vec::new();
    engine.begin_snapshot(Purpose::Save);
    while engine.next_chunk(file.len() + 100, &mut file) {}
    engine.end_snapshot(true);
    file
}
