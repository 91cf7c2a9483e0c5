//! Sessions that know of each other by CLIENT ID: what transcripts cannot tell, since ids vary.
//! What is expected here was asked of redis-server 8.2.3.

use redstart::engine::{Called, Engine, Kind, Options, SessionId};
use redstart::resp::Cell;

const START_MS: i64 = 1_700_000_000_000;

fn engine() -> Engine {
    Engine::new(Options {
        seed: [1, 2],
        now_ms: START_MS,
        ..Options::default()
    })
}

/// A few wire sessions; the first has CLIENT ID 1.
struct Wires {
    engine: Engine,
    ids: Vec<SessionId>,
}

impl Wires {
    fn new(count: usize) -> Wires {
        let mut engine = engine();
        let ids = (0..count).map(|_| engine.connect(Kind::Wire)).collect();
        Wires { engine, ids }
    }

    /// Sends a line on session `n`, counted from 1, and returns its output.
    fn say(&mut self, n: usize, line: &str) -> String {
        self.engine
            .feed(self.ids[n - 1], format!("{line}\r\n").as_bytes());
        self.read(n)
    }

    fn read(&mut self, n: usize) -> String {
        String::from_utf8(self.engine.drain(self.ids[n - 1])).expect("the output is text")
    }

    /// A field of session `n` in CLIENT LIST, asked by session `by`.
    fn field(&mut self, by: usize, n: usize, name: &str) -> String {
        let line = self.say(by, &format!("CLIENT LIST ID {n}"));
        let start = format!(" {name}=");
        let (_, rest) = line.split_once(&start).expect("the field is there");
        rest.split([' ', '\n']).next().unwrap_or("").to_string()
    }
}

#[test]
fn invalidations_are_redirected_to_a_subscriber() {
    let mut wires = Wires::new(3);
    wires.say(2, "SUBSCRIBE __redis__:invalidate");
    assert_eq!(wires.say(1, "CLIENT TRACKING ON REDIRECT 2"), "+OK\r\n");
    assert_eq!(wires.say(1, "CLIENT GETREDIR"), ":2\r\n");
    assert_eq!(wires.say(1, "GET k"), "$-1\r\n");
    assert_eq!(wires.say(3, "SET k 1"), "+OK\r\n");
    assert_eq!(
        wires.read(2),
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n"
    );
    wires.say(3, "FLUSHALL ASYNC");
    assert_eq!(
        wires.read(2),
        "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n"
    );
    assert_eq!(wires.read(1), "");
    assert_eq!(wires.field(3, 1, "redir"), "2");
    assert_eq!(wires.field(3, 1, "flags"), "t");
}

#[test]
fn a_broken_redirection_is_told() {
    let mut wires = Wires::new(3);
    wires.say(1, "CLIENT TRACKING ON REDIRECT 2");
    wires.say(1, "HELLO 3");
    wires.say(1, "GET k");
    wires.engine.disconnect(wires.ids[1]);
    wires.say(3, "SET k 2");
    assert_eq!(
        wires.read(1),
        ">2\r\n$21\r\ntracking-redir-broken\r\n:2\r\n"
    );
    let info = wires.say(1, "CLIENT TRACKINGINFO");
    assert!(info.contains("broken_redirect"), "{info}");
    assert_eq!(wires.field(3, 1, "flags"), "tR");
    wires.say(3, "SET k 3");
    assert_eq!(wires.read(1), "");
}

#[test]
fn a_redirection_to_resp3_and_to_itself() {
    let invalidate = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    let mut wires = Wires::new(3);
    wires.say(2, "HELLO 3");
    wires.say(1, "CLIENT TRACKING ON REDIRECT 2");
    wires.say(1, "GET k");
    wires.say(3, "SET k 1");
    assert_eq!(wires.read(2), invalidate);
    assert_eq!(
        wires.say(1, "CLIENT TRACKING ON REDIRECT 2 REDIRECT 2"),
        "-ERR A client can only redirect to a single other client\r\n"
    );
    wires.say(1, "CLIENT TRACKING OFF");
    wires.say(1, "CLIENT TRACKING ON BCAST REDIRECT 2");
    wires.say(1, "SET k 1");
    assert_eq!(wires.read(2), invalidate);
    assert_eq!(wires.say(2, "CLIENT TRACKING ON REDIRECT 2"), "+OK\r\n");
    wires.say(1, "CLIENT TRACKING OFF");
    wires.say(2, "GET k");
    wires.say(3, "SET k 2");
    assert_eq!(wires.read(2), invalidate);
}

#[test]
fn a_waiting_client_is_unblocked_or_killed() {
    let mut wires = Wires::new(2);
    assert_eq!(wires.say(2, "WAIT 1 0"), "");
    assert_eq!(wires.field(1, 2, "flags"), "b");
    assert_eq!(wires.say(1, "CLIENT UNBLOCK 2"), ":1\r\n");
    assert_eq!(wires.read(2), ":0\r\n");
    wires.say(2, "WAIT 1 0");
    assert_eq!(wires.say(1, "CLIENT UNBLOCK 2 ERROR"), ":1\r\n");
    assert_eq!(
        wires.read(2),
        "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
    );
    assert_eq!(wires.say(1, "CLIENT UNBLOCK 2"), ":0\r\n");
    wires.say(2, "WAIT 1 0");
    assert_eq!(wires.say(1, "CLIENT KILL ID 2"), ":1\r\n");
    assert_eq!(wires.read(2), "");
    assert!(wires.engine.is_closing(wires.ids[1]));
    assert_eq!(wires.say(1, "CLIENT KILL ID 2"), ":0\r\n");
    assert_eq!(wires.say(1, "CLIENT LIST ID 2"), "$0\r\n\r\n");
}

#[test]
fn a_paused_client_is_listed_as_waiting_and_cannot_be_unblocked() {
    let mut wires = Wires::new(2);
    wires.say(1, "CLIENT PAUSE 100000 WRITE");
    assert_eq!(wires.say(2, "SET k v"), "");
    assert_eq!(wires.field(1, 2, "flags"), "b");
    assert_eq!(wires.say(1, "CLIENT UNBLOCK 2"), ":0\r\n");
    assert_eq!(wires.say(1, "CLIENT UNPAUSE"), "+OK\r\n");
    assert_eq!(wires.read(2), "+OK\r\n");
}

#[test]
fn a_client_is_killed_by_its_address() {
    let mut wires = Wires::new(3);
    let ids = wires.ids.clone();
    wires
        .engine
        .set_addresses(ids[1], b"10.0.0.1:5000", b"10.0.0.2:6379");
    wires.say(2, "WATCH k");
    wires.say(2, "MULTI");
    wires.say(1, "SET k 2");
    assert_eq!(wires.field(1, 2, "flags"), "xd");
    assert_eq!(wires.field(1, 2, "watch"), "1");
    assert_eq!(wires.field(1, 2, "addr"), "10.0.0.1:5000");
    assert_eq!(
        wires.say(1, "CLIENT KILL LADDR 10.0.0.2:6379 ADDR 1"),
        ":0\r\n"
    );
    assert_eq!(wires.say(1, "CLIENT KILL 10.0.0.1:5000"), "+OK\r\n");
    assert!(wires.engine.is_closing(ids[1]));
    assert_eq!(wires.say(3, "CLIENT KILL ID 3"), ":0\r\n");
    assert_eq!(wires.say(3, "CLIENT KILL ID 3 SKIPME no"), ":1\r\n");
    assert!(wires.engine.is_closing(ids[2]));
}

#[test]
fn native_sessions_get_invalidations_as_messages() {
    let mut engine = engine();
    let reader = engine.connect(Kind::Native3);
    let writer = engine.connect(Kind::Native2);
    assert_eq!(
        engine.call(reader, &[b"CLIENT", b"TRACKING", b"ON"]),
        Called::Replied
    );
    engine.call(reader, &[b"GET", b"k"]);
    engine.call(writer, &[b"SET", b"k", b"v"]);
    let message = engine.next_message(reader).expect("a message");
    assert!(!message.is_reply);
    assert_eq!(message.text, b"invalidatek");
    assert_eq!(message.cells.first(), Some(&(Cell::Push as u32)));
    assert!(engine.next_message(reader).is_none());
}

#[test]
fn the_host_is_asked_to_end_a_killed_native_session() {
    let mut engine = engine();
    let one = engine.connect(Kind::Native3);
    let other = engine.connect(Kind::Native3);
    engine.call(one, &[b"CLIENT", b"KILL", b"ID", b"2"]);
    let wanted = vec![b"disconnect".to_vec(), other.to_string().into_bytes()];
    assert_eq!(engine.next_request(), Some(wanted));
    engine.call(one, &[b"QUIT"]);
    let wanted = vec![b"disconnect".to_vec(), one.to_string().into_bytes()];
    assert_eq!(engine.next_request(), Some(wanted));
}

#[test]
fn the_table_of_tracked_keys_has_a_limit() {
    let mut wires = Wires::new(1);
    wires.say(1, "CONFIG SET tracking-table-max-keys 2");
    wires.say(1, "HELLO 3");
    wires.say(1, "CLIENT TRACKING ON");
    for key in ["a", "b"] {
        assert_eq!(wires.say(1, &format!("GET {key}")), "_\r\n");
    }
    let told = wires.say(1, "GET c");
    assert!(
        told.starts_with("_\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n"),
        "{told}"
    );
    let info = wires.say(1, "INFO");
    for line in [
        "tracking_clients:1",
        "tracking_total_keys:2",
        "tracking_total_items:2",
    ] {
        assert!(info.contains(line), "{line}");
    }
}
