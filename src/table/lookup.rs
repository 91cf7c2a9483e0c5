//! From a command's name to its row.

use super::Command;
use crate::algorithms::hash::HashSeed;
use hashbrown::HashTable;

/// Names longer than this are no command's.
const NAME_LIMIT_BYTES: usize = 32;

/// The index of rows by name. Row numbers are positions in the registration order, subcommands right behind their
/// container; they are stable within one build and what JavaScript calls `op`.
#[derive(Debug)]
pub struct Lookup {
    rows: Vec<Resolved>,
    names: HashTable<u16>,
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
            names: HashTable::new(),
            seed,
        };
        for row in groups.iter().copied().flatten() {
            let number = lookup.rows.len() as u16;
            lookup.rows.push(Resolved {
                row,
                number,
                container: None,
            });
            let rows = &lookup.rows;
            let hash_of = |number: u16| {
                lookup
                    .seed
                    .hash(rows[usize::from(number)].row.name.as_bytes())
            };
            lookup
                .names
                .insert_unique(hash_of(number), number, |&other| hash_of(other));
            for sub in row.subs {
                let number = lookup.rows.len() as u16;
                lookup.rows.push(Resolved {
                    row: sub,
                    number,
                    container: Some(row),
                });
            }
        }
        lookup
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
        let row_name = |number: u16| self.rows[usize::from(number)].row.name.as_bytes();
        self.names
            .find(self.seed.hash(lower), |&number| row_name(number) == lower)
            .and_then(|&number| self.row(number))
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
