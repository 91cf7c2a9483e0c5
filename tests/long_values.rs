//! Values that are far longer than the pieces they come in.

use redstart::engine::{Engine, Kind, Modules, Options, Purpose, SessionId};
use std::fmt::Write;

struct Host {
    engine: Engine,
    client: SessionId,
}

impl Host {
    fn new() -> Host {
        let mut engine = Engine::new(Options::default());
        let client = engine.connect(Kind::Wire);
        Host { engine, client }
    }

    fn ask(&mut self, commands: &str) -> String {
        self.engine.feed(self.client, commands.as_bytes());
        String::from_utf8_lossy(&self.engine.drain(self.client)).into_owned()
    }

    fn save(&mut self) -> Vec<u8> {
        let mut file = Vec::new();
        self.engine.begin_snapshot(Purpose::Save);
        while self.engine.next_chunk(usize::MAX, &mut file) {}
        self.engine.end_snapshot(true);
        file
    }
}

/// A hash, a sorted set and a list of 30,000 elements each, and a key that comes last.
fn file() -> Vec<u8> {
    let mut host = Host::new();
    let mut commands = String::from("HSETNX last f v\r\n");
    for i in 0..30_000 {
        let _ = write!(
            commands,
            "HSET hash field:{i} value:{i}\r\nZADD scores {i} member:{i}\r\nRPUSH list element:{i}\r\n"
        );
    }
    host.ask(&commands);
    host.save()
}

/// With a look at the whole value for every piece this would take minutes.
#[test]
fn come_in_small_pieces() {
    let file = file();
    assert!(file.len() > 1 << 20);
    for piece_bytes in [997, 65536, usize::MAX] {
        let mut host = Host::new();
        host.engine.begin_load(Modules::Refuse);
        for piece in file.chunks(piece_bytes) {
            host.engine.load_chunk(piece).expect("the file is good");
        }
        host.engine.end_load().expect("the file is whole");
        let found = host.ask(
            "HLEN hash\r\nHGET hash field:29999\r\nZSCORE scores member:777\r\nLINDEX list -1\r\nHLEN last\r\n",
        );
        assert_eq!(
            found,
            ":30000\r\n$11\r\nvalue:29999\r\n$3\r\n777\r\n$13\r\nelement:29999\r\n:1\r\n"
        );
    }
}

#[test]
fn are_missed_when_the_file_ends_amid_them() {
    let file = file();
    for cut in [1, 9, 10, 500_000, file.len() / 2, file.len() - 1000] {
        let mut host = Host::new();
        host.ask("SET before x\r\n");
        host.engine.begin_load(Modules::Refuse);
        let short = file.get(..file.len() - cut).unwrap_or_default();
        for piece in short.chunks(65536) {
            host.engine
                .load_chunk(piece)
                .expect("what is there is good");
        }
        let error = host.engine.end_load().expect_err("it ends early");
        let text = String::from_utf8_lossy(error.text()).into_owned();
        assert!(text.contains("truncated"), "{text}");
        assert_eq!(host.ask("GET before\r\n"), "$1\r\nx\r\n");
    }
}

/// The RDB part of an append-only file may end with such a value, too.
#[test]
fn come_before_commands() {
    let mut bytes = file();
    bytes.extend_from_slice(b"*3\r\n$3\r\nSET\r\n$5\r\nafter\r\n$1\r\ny\r\n");
    let mut host = Host::new();
    host.engine.begin_replay(b"a file", bytes.len() as u64);
    for piece in bytes.chunks(65536) {
        host.engine.replay_chunk(piece).expect("the file is good");
    }
    assert_eq!(host.engine.end_replay(true), Ok(bytes.len() as u64));
    assert_eq!(
        host.ask("HLEN hash\r\nGET after\r\n"),
        ":30000\r\n$1\r\ny\r\n"
    );
}
