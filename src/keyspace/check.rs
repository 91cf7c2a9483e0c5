//! The keyspace against its own invariants; for tests and fuzzing.

use super::Keyspace;
use crate::values::Entry;

impl Keyspace {
    /// Verifies tables, values and accounts. O(everything).
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        let mut object_bytes = 0;
        for (number, db) in self.dbs.iter().enumerate() {
            let mut deadlines = 0;
            db.check()
                .map_err(|why| ["database ", &number.to_string(), ": ", &why].concat())?;
            for entry in db.iter().map(Entry::new) {
                entry.check().map_err(|why| {
                    let key = entry.key().escape_ascii().to_string();
                    [&key, " (", entry.encoding(), "): ", &why].concat()
                })?;
                if let Some(deadline_ms) = entry.field_deadline_ms() {
                    deadlines += 1;
                    if !self.fields.has(number, entry.key(), deadline_ms) {
                        return Err("a hash whose deadline is not in the index".to_owned());
                    }
                }
                object_bytes += entry.memory_bytes() - entry.view().memory_bytes();
            }
            if deadlines != self.fields.len(number) {
                return Err("deadlines of hashes that are gone".to_owned());
            }
        }
        if object_bytes != self.object_bytes {
            return Err("objects take other memory than accounted for".to_owned());
        }
        Ok(())
    }
}
