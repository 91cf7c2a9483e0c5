//! Function libraries: the machine that runs them, which is not that of scripts, and what was registered in it.
//!
//! ```text
//!   catalog.libraries   [ Library { name, source, functions: [ name, description, flags, place in the machine ] } ]
//!   catalog.index       name in lower case -> which library, which of its functions
//! ```
//!
//! Names of libraries are told apart by case, names of functions are not. Libraries stay in the order they were loaded
//! in; a library that takes the place of another is the last then.

mod catalog;
mod header;
mod loading;

pub use catalog::{Catalog, Function, Library};

use super::scripts::{LogLine, Machine, ScriptFlags};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::hash::HashSeed;
use crate::formats::functions::Payload;
use crate::lua::Value;
use crate::resp::Error;

/// What becomes of libraries that are there when others are restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restoring {
    /// They go.
    Flush,
    /// They stay, and none of the others may have a name of theirs.
    Append,
    /// They stay, but for those that others have the names of.
    Replace,
}

/// All libraries.
#[derive(Debug)]
pub struct Functions {
    seed: HashSeed,
    /// Made when the first library comes; away while a function runs.
    pub machine: Option<Box<Machine>>,
    /// Where the machine keeps the globals of a library that is being loaded.
    load_globals: usize,
    catalog: Catalog,
    /// What libraries logged while they were loaded; whoever loads them passes it on.
    pub logged: Vec<LogLine>,
    /// `lua-enable-deprecated-api`
    pub is_deprecated_api_open: bool,
}

impl Functions {
    pub fn new(seed: HashSeed) -> Functions {
        Functions {
            seed,
            machine: None,
            load_globals: 0,
            catalog: Catalog::default(),
            logged: Vec::new(),
            is_deprecated_api_open: false,
        }
    }

    /// None yet, for a data set that is being read.
    pub fn fresh(&self) -> Functions {
        Functions {
            is_deprecated_api_open: self.is_deprecated_api_open,
            ..Functions::new(self.seed.clone())
        }
    }

    pub fn libraries(&self) -> &[Library] {
        &self.catalog.libraries
    }

    /// The sources, in the order of the libraries.
    pub fn sources(&self) -> impl Iterator<Item = &[u8]> {
        let libraries = self.catalog.libraries.iter();
        libraries.map(|library| library.source.as_slice())
    }

    pub fn function_count(&self) -> usize {
        let libraries = self.catalog.libraries.iter();
        libraries.map(|library| library.functions.len()).sum()
    }

    /// What the libraries take besides the machine's values.
    pub fn source_bytes(&self) -> usize {
        let libraries = self.catalog.libraries.iter();
        libraries.map(Library::bytes).sum()
    }

    /// What the machine's values take; 0 while there is no machine.
    pub fn machine_bytes(&self) -> usize {
        let machine = self.machine.as_ref();
        machine.map_or(0, |machine| machine.vm.heap.used_bytes)
    }

    /// What is called by a name, in any case, and its flags.
    pub fn find(&self, name: &[u8]) -> Option<(&Function, Value)> {
        let function = self.catalog.find(name)?;
        let machine = self.machine.as_ref()?;
        Some((function, machine.kept(function.root)))
    }

    /// The flags of a function, for what is asked before a command runs.
    pub fn flags_of(&self, name: &[u8]) -> Option<ScriptFlags> {
        self.catalog.find(name).map(|function| function.flags)
    }

    /// Loads a library: its name.
    ///
    /// # Errors
    /// What its first line, the compiler or its own run says, or a name that is taken. All is as before then.
    pub fn load(&mut self, source: &[u8], is_replacing: bool) -> Result<Vec<u8>, Error> {
        let mut catalog = core::mem::take(&mut self.catalog);
        let result = self.load_into(&mut catalog, source, is_replacing);
        self.catalog = catalog;
        result
    }

    /// The same, for those that read a data set.
    ///
    /// # Errors
    /// As of [`Functions::load`].
    pub fn add(&mut self, source: &[u8]) -> Result<(), Error> {
        self.load(source, false).map(drop)
    }

    fn load_into(
        &mut self,
        catalog: &mut Catalog,
        source: &[u8],
        is_replacing: bool,
    ) -> Result<Vec<u8>, Error> {
        let header = header::read(source)?;
        let place = catalog.place_of(&header.name);
        if place.is_some() && !is_replacing {
            let parts: [&[u8]; 3] = [b"ERR Library '", &header.name, b"' already exists"];
            return Err(Error::concat(&parts));
        }
        let functions = self.register(header.body)?;
        let taken = functions
            .iter()
            .find(|function| catalog.is_taken(&function.name, place));
        let problem = match taken {
            Some(function) => Some(catalog::function_exists(&function.name)),
            None if functions.is_empty() => Some(Error::new("ERR No functions registered")),
            None => None,
        };
        if let Some(error) = problem {
            self.release(&functions);
            return Err(error);
        }
        if let Some(place) = place {
            let old = catalog.remove(place);
            self.release(&old.functions);
        }
        catalog.push(Library {
            name: header.name.owned(),
            source: source.owned(),
            functions,
        });
        self.settle();
        Ok(header.name)
    }

    /// Loads several libraries at once, from what a payload has of their sources.
    ///
    /// # Errors
    /// What is wrong with one of them or behind them, or a name that is taken. All is as before then.
    pub fn restore(&mut self, payload: Payload, mode: Restoring) -> Result<(), Error> {
        let mut added = Catalog::default();
        let mut result = payload
            .sources
            .iter()
            .try_for_each(|source| self.load_into(&mut added, source, false).map(drop));
        if let (Ok(()), Some(problem)) = (&result, payload.problem) {
            result = Err(Error::new(problem));
        }
        if result.is_ok() && mode != Restoring::Flush {
            result = self.catalog.admit(&added, mode == Restoring::Replace);
        }
        if let Err(error) = result {
            for library in &added.libraries {
                self.release(&library.functions);
            }
            self.settle();
            return Err(error);
        }
        let is_leaving =
            |library: &Library| mode == Restoring::Flush || added.place_of(&library.name).is_some();
        let mut place = 0;
        while let Some(library) = self.catalog.libraries.get(place) {
            if is_leaving(library) {
                let old = self.catalog.remove(place);
                self.release(&old.functions);
            } else {
                place += 1;
            }
        }
        for library in added.libraries {
            self.catalog.push(library);
        }
        self.settle();
        Ok(())
    }

    /// Forgets a library; false when there is none of this name.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        let Some(place) = self.catalog.place_of(name) else {
            return false;
        };
        let old = self.catalog.remove(place);
        self.release(&old.functions);
        self.settle();
        true
    }

    /// Forgets every library and the machine with all it holds.
    pub fn flush(&mut self) {
        *self = self.fresh();
    }

    fn release(&mut self, functions: &[Function]) {
        if let Some(machine) = &mut self.machine {
            for function in functions {
                machine.release(function.root);
            }
        }
    }

    fn settle(&mut self) {
        if let Some(machine) = &mut self.machine {
            machine.settle();
        }
    }
}
