//! Which libraries there are, and where a function is found.

use crate::resp::Error;
use crate::state::scripts::ScriptFlags;
use crate::structures::ordered::OrderedMap;

/// A function of a library.
#[derive(Debug)]
pub struct Function {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: ScriptFlags,
    /// Where the machine keeps it.
    pub root: usize,
}

/// A library.
#[derive(Debug)]
pub struct Library {
    pub name: Vec<u8>,
    /// As it was loaded, first line and all.
    pub source: Vec<u8>,
    /// In the order they were registered in.
    pub functions: Vec<Function>,
}

impl Library {
    /// What it takes, besides the machine's values.
    pub fn bytes(&self) -> usize {
        let functions = self.functions.iter().map(|function| {
            let description = function.description.as_ref().map_or(0, Vec::len);
            size_of::<Function>() + 2 * function.name.len() + description
        });
        size_of::<Library>() + self.name.len() + self.source.len() + functions.sum::<usize>()
    }
}

/// Libraries, and an index of their functions.
#[derive(Debug, Default)]
pub struct Catalog {
    pub libraries: Vec<Library>,
    /// The name in lower case; the place of the library in the upper half, of the function in the lower. Of several
    /// functions of one library whose names differ in case, the last registered.
    index: OrderedMap<Vec<u8>, u64>,
}

impl Catalog {
    pub fn place_of(&self, name: &[u8]) -> Option<usize> {
        self.libraries
            .iter()
            .position(|library| library.name == name)
    }

    fn places(&self, name: &[u8]) -> Option<(usize, usize)> {
        let lower = name.to_ascii_lowercase();
        let packed = *self.index.get(lower.as_slice())?;
        Some(((packed >> 32) as usize, packed as u32 as usize))
    }

    pub fn find(&self, name: &[u8]) -> Option<&Function> {
        let (library, function) = self.places(name)?;
        self.libraries.get(library)?.functions.get(function)
    }

    /// Whether a library other than that at `own` has a function of this name.
    pub fn is_taken(&self, name: &[u8], own: Option<usize>) -> bool {
        self.places(name)
            .is_some_and(|(library, _)| Some(library) != own)
    }

    /// Whether libraries of another catalog may be added; with `is_replacing` those of the same names go.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn admit(&self, added: &Catalog, is_replacing: bool) -> Result<(), Error> {
        let is_there = |library: &&Library| self.place_of(&library.name).is_some();
        if !is_replacing && let Some(library) = added.libraries.iter().find(is_there) {
            let parts: [&[u8]; 3] = [b"ERR Library ", &library.name, b" already exists"];
            return Err(Error::concat(&parts));
        }
        let mut functions = added
            .libraries
            .iter()
            .flat_map(|library| &library.functions);
        let taken = functions.find(|function| {
            let library = self.places(&function.name).map(|(library, _)| library);
            let library = library.and_then(|place| self.libraries.get(place));
            library.is_some_and(|library| added.place_of(&library.name).is_none())
        });
        taken.map_or(Ok(()), |function| Err(function_exists(&function.name)))
    }

    pub fn push(&mut self, library: Library) {
        self.libraries.push(library);
        self.index();
    }

    /// Takes the library at a place there is.
    pub fn remove(&mut self, place: usize) -> Library {
        let library = self.libraries.remove(place);
        self.index();
        library
    }

    /// Makes the index anew. O(functions).
    fn index(&mut self) {
        self.index.clear();
        for (library_place, library) in self.libraries.iter().enumerate() {
            for (place, function) in library.functions.iter().enumerate() {
                let packed = (library_place as u64) << 32 | place as u64;
                self.index
                    .insert(function.name.to_ascii_lowercase(), packed);
            }
        }
    }
}

/// What is said of a function whose name another library has taken.
pub fn function_exists(name: &[u8]) -> Error {
    Error::concat(&[b"ERR Function ", name, b" already exists"])
}
