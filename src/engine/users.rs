//! Users out of the configuration and of ACL files, which the host reads and writes.

use super::{Engine, LoadError, SessionId};
use crate::resp::{Error, Reply};
use crate::state::acl::Users;
use crate::state::{Block, Config};
use crate::table::acl_file::UserMap;
use crate::table::rules::Rules;
use std::mem;

impl Engine {
    /// The users a configuration declares, `requirepass` included.
    pub(super) fn users_of(&self, config: &Config) -> Result<UserMap, LoadError> {
        let row_count = self.lookup.rows().len();
        let mut defaults = Users::new(row_count, [0, 0]);
        defaults.set_default_password(&config.requirepass);
        let mut users = UserMap::new();
        let rules = self.rules(config);
        for declared in &config.users {
            let refuse = |name: &[u8], why: &str| {
                let reason: [&[u8]; 4] =
                    [b"Error in user declaration '", name, b"': ", why.as_bytes()];
                LoadError::Line(
                    declared.number,
                    declared.line.clone(),
                    reason.concat().into(),
                )
            };
            let words: Vec<&[u8]> = declared.words.iter().map(Vec::as_slice).collect();
            let Some((name, modifiers)) = words.split_first() else {
                continue;
            };
            if users.contains_key(*name) {
                return Err(refuse(
                    name,
                    "Duplicate user found. A user can only be defined once in config files",
                ));
            }
            let user = rules.build(modifiers).map_err(|why| refuse(b"user", why))?;
            users.insert(name.to_vec(), user);
        }
        for (name, user) in defaults.iter() {
            if !users.contains_key(name) {
                users.insert(name.clone(), user.clone());
            }
        }
        Ok(users)
    }

    fn rules(&self, config: &Config) -> Rules<'_> {
        Rules {
            lookup: &self.lookup,
            opens_channels: config.value("acl-pubsub-default") == b"allchannels",
        }
    }

    /// The host read the ACL file called `path`, at its start or because ACL LOAD asked for it: its users take the place
    /// of all others, and clients of users that are gone are cut off.
    ///
    /// # Errors
    /// What is wrong with the file; nothing is changed then. Clients that wait in ACL LOAD are told as well.
    pub fn load_users(&mut self, path: &[u8], text: &[u8]) -> Result<(), Error> {
        let users = self.rules(&self.server.config).read_file(path, text);
        let result = match users {
            Ok(users) => {
                self.server.users.replace(users);
                let mut gone = Vec::new();
                for session in self.sessions.iter_mut() {
                    session.note_restriction(&self.server.users);
                    if !session.is_trusted && self.server.users.get(&session.user).is_none() {
                        gone.push(session.handle);
                    }
                }
                self.server.kills.extend(gone);
                Ok(())
            }
            Err(errors) => Err(Error::concat(&[b"ERR ", &errors])),
        };
        self.end_acl_wait(&result);
        result
    }

    /// Makes a session the host's own, for which no user's rules are.
    pub fn trust(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.is_trusted = true;
            session.is_restricted = false;
        }
    }

    /// The host could not read or write the ACL file, or has written it: clients in ACL LOAD and ACL SAVE get their reply.
    pub fn end_acl_wait(&mut self, result: &Result<(), Error>) {
        for id in mem::take(&mut self.server.acl_waiters) {
            self.unblock(id, |reply: &mut Reply, _: &Block| match result {
                Ok(()) => reply.ok(),
                Err(error) => reply.error(error.text()),
            });
        }
        if self.has_aftermath() {
            self.settle();
        }
        self.resume_all();
    }
}
