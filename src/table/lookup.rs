//! From a command's name to its row.

use super::Command;
use crate::algorithms::hash::HashSeed;

/// A place without a command.
const FREE: u16 = u16::MAX;

/// Names longer than this are no command's.
const NAME_LIMIT_BYTES: usize = 32;

/// The index of rows by name. Row numbers are positions in the registration order, subcommands right behind their
/// container; they are stable within one build and what JavaScript calls `op`.
#[derive(Debug)]
pub struct Lookup {
    rows: Vec<Resolved>,
    /// Row numbers of commands by the hash of their names, the next free place after it if that is taken; at most half
    /// of the places are. A power of two.
    names: Vec<u16>,
    seed: HashSeed,
}

/// A row with its number and its container.
#[derive(Debug, Clone, Copy)]
pub struct Resolved {
    pub row: &'static Command,
    pub number: u16,
    pub container: Option<&'static Command>,
}

impl Resolved {
    /// `get`, or `client|list` of a subcommand.
    pub fn full_name(&self) -> Vec<u8> {
        match self.container {
            Some(container) => [container.name, "|", self.row.name].concat().into_bytes(),
            None => self.row.name.as_bytes().to_vec(),
        }
    }
}

impl Lookup {
    /// Indexes the rows of every group.
    pub fn new(groups: &[&'static [Command]], seed: HashSeed) -> Lookup {
        let mut lookup = Lookup {
            rows: Vec::new(),
            names: Vec::new(),
            seed,
        };
        for row in groups.iter().copied().flatten() {
            let number = lookup.rows.len() as u16;
            lookup.rows.push(Resolved {
                row,
                number,
                container: None,
            });
            for sub in row.subs {
                let number = lookup.rows.len() as u16;
                lookup.rows.push(Resolved {
                    row: sub,
                    number,
                    container: Some(row),
                });
            }
        }
        lookup.names = vec![FREE; (lookup.rows.len() * 2 + 1).next_power_of_two()];
        for at in 0..lookup.rows.len() {
            let Resolved { row, number, .. } = lookup.rows[at];
            if lookup.rows[at].container.is_none() {
                let place = lookup.place(row.name.as_bytes());
                lookup.names[place] = number;
            }
        }
        lookup
    }

    /// Where the command called `lower` is in `names`, or would be.
    fn place(&self, lower: &[u8]) -> usize {
        let mask = self.names.len() - 1;
        let mut place = self.seed.hash(lower) as usize & mask;
        loop {
            match self.row(self.names[place]) {
                Some(other) if other.row.name.as_bytes() != lower => place = (place + 1) & mask,
                _ => return place,
            }
        }
    }

    /// All rows, subcommands included.
    pub fn rows(&self) -> &[Resolved] {
        &self.rows
    }

    /// The row of number `number`.
    pub fn row(&self, number: u16) -> Option<Resolved> {
        self.rows.get(usize::from(number)).copied()
    }

    /// The command called `name`, in any case; containers are not resolved further.
    pub fn find(&self, name: &[u8]) -> Option<Resolved> {
        if name.len() > NAME_LIMIT_BYTES {
            return None;
        }
        let mut lower = [0; NAME_LIMIT_BYTES];
        let lower = &mut lower[..name.len()];
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        self.row(self.names[self.place(lower)])
    }

    /// The subcommand `name` of `container`.
    pub fn find_sub(&self, container: Resolved, name: &[u8]) -> Option<Resolved> {
        let at = container
            .row
            .subs
            .iter()
            .position(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))?;
        self.row(container.number + 1 + at as u16)
    }
}
