//! Function libraries in a build that runs none: the sources that a snapshot brought, for the next snapshot.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::hash::HashSeed;
use crate::resp::Error;

/// The sources of all libraries.
#[derive(Debug, Default)]
pub struct Functions {
    sources: Vec<Vec<u8>>,
}

impl Functions {
    pub fn new(_: HashSeed) -> Functions {
        Functions::default()
    }

    /// None yet, for a data set that is being read.
    pub fn fresh(&self) -> Functions {
        Functions::default()
    }

    /// The sources, in the order they came in.
    pub fn sources(&self) -> impl Iterator<Item = &[u8]> {
        self.sources.iter().map(Vec::as_slice)
    }

    /// Keeps a source as it is.
    ///
    /// # Errors
    /// None: nobody runs it here.
    pub fn add(&mut self, source: &[u8]) -> Result<(), Error> {
        self.sources.push(source.owned());
        Ok(())
    }
}
