//! The command table against the list of all public commands of the Redis core.

use redstart::commands::GROUPS;

/// Groups of which every command is to be here.
const WHOLE_GROUPS: [&str; 12] = [
    "array",
    "bitmap",
    "generic",
    "geo",
    "hash",
    "hyperloglog",
    "list",
    "set",
    "sorted-set",
    "stream",
    "string",
    "transactions",
];

/// Name, group and version of every command: of the list, those of some groups; of the engine, those of all.
type Fact = (String, String, String);

fn listed() -> Vec<Fact> {
    include_str!("data/commands.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t').map(str::to_owned);
            let mut field = || fields.next().expect("four fields");
            (field(), field(), field())
        })
        .collect()
}

fn present() -> Vec<Fact> {
    let mut facts = Vec::new();
    for row in GROUPS.iter().copied().flatten() {
        let group = row.group.name().to_owned();
        if row.subs.is_empty() {
            facts.push((row.name.to_owned(), group.clone(), row.since.to_owned()));
        }
        for sub in row.subs {
            let name = format!("{}|{}", row.name, sub.name);
            facts.push((name, group.clone(), sub.since.to_owned()));
        }
    }
    facts
}

#[test]
fn every_command_on_data_is_here() {
    let present: Vec<String> = present().into_iter().map(|(name, ..)| name).collect();
    let missing: Vec<String> = listed()
        .into_iter()
        .filter(|(_, group, _)| WHOLE_GROUPS.contains(&group.as_str()))
        .map(|(name, ..)| name)
        .filter(|name| !present.contains(name))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn every_command_is_of_the_group_and_version_that_redis_says() {
    let listed = listed();
    let wrong: Vec<Fact> = present()
        .into_iter()
        .filter(|fact| !listed.contains(fact))
        .collect();
    assert!(wrong.is_empty(), "not so in the list: {wrong:#?}");
}
