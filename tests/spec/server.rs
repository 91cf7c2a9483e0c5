//! A live server as a host: any redis-server, or Redstart behind its TCP port.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use super::file::read_version;
use super::play::Host;

/// Connections to one address. `reset` can only empty the keyspace: settings a case changes stay changed.
pub struct Server {
    address: String,
    control: TcpStream,
    clients: BTreeMap<u32, TcpStream>,
}

impl Server {
    pub fn new(address: &str) -> std::io::Result<Self> {
        let control = TcpStream::connect(address)?;
        Ok(Server {
            address: address.to_string(),
            control,
            clients: BTreeMap::new(),
        })
    }

    /// One inline command and its one-line reply; the server has handled everything sent before it.
    fn fence(&mut self, command: &[u8]) {
        let mut byte = [0];
        let sent = self.control.write_all(command);
        sent.expect("the server takes a command");
        while byte != [b'\n'] {
            self.control
                .read_exact(&mut byte)
                .expect("the server answers");
        }
    }

    /// What has come in once everything sent was handled and `patience` is over.
    fn receive(&mut self, patience: Duration) -> Vec<(u32, Vec<u8>, bool)> {
        self.fence(b"PING\r\n");
        self.fence(b"PING\r\n");
        sleep(patience);
        let mut found = Vec::new();
        for (&client, stream) in &mut self.clients {
            let mut bytes = Vec::new();
            stream.set_nonblocking(true).expect("a socket option");
            let closed = match stream.read_to_end(&mut bytes) {
                Ok(_) => true,
                Err(error) => error.kind() != ErrorKind::WouldBlock,
            };
            stream.set_nonblocking(false).expect("a socket option");
            if closed || !bytes.is_empty() {
                found.push((client, bytes, closed));
            }
        }
        for (client, _, _) in found.iter().filter(|(_, _, closed)| *closed) {
            self.clients.remove(client);
        }
        found
    }
}

impl Host for Server {
    fn version(&mut self) -> Option<Vec<u32>> {
        let mut stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream
            .write_all(b"INFO server\r\nQUIT\r\n")
            .expect("the server takes a command");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("INFO is text");
        // Redstart tells no executable, and has what is newer than the version it tells.
        let is_redis = !text.lines().any(|line| line == "executable:");
        let version = text
            .lines()
            .find_map(|line| line.strip_prefix("redis_version:"));
        version
            .filter(|_| is_redis)
            .and_then(|version| read_version(version.trim()))
    }

    fn reset(&mut self) {
        self.clients.clear();
        self.fence(b"FLUSHALL\r\n");
    }

    fn connect(&mut self, client: u32) {
        let stream = TcpStream::connect(&self.address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket option");
        self.clients.insert(client, stream);
    }

    fn send(&mut self, client: u32, bytes: &[u8]) {
        if let Some(stream) = self.clients.get_mut(&client) {
            // A server may close while it is being written to; the reading side reports it.
            let _ = stream.write_all(bytes);
        }
    }

    fn settle(&mut self) -> Vec<(u32, Vec<u8>, bool)> {
        let found = self.receive(Duration::from_millis(1));
        if found.is_empty() {
            // What a command leaves to a thread (FLUSHALL) is answered later.
            return self.receive(Duration::from_millis(30));
        }
        found
    }

    fn wait(&mut self, ms: u64) {
        sleep(Duration::from_millis(ms));
    }

    fn close(&mut self, client: u32) {
        self.clients.remove(&client);
        sleep(Duration::from_millis(5));
    }
}
