//! SORT: the elements of a list, set or sorted set in order, or what keys named after them hold.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::algorithms::order;
use crate::keyspace::{Class, Keyspace};
use crate::resp::Error;
use crate::structures::item::Item;
use crate::structures::quicklist::Quicklist;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, flag,
    integer, key, oneof, pattern, prose, rules, sort_keys, sort_ro_keys, token,
};
use crate::values::list::End;
use crate::values::{Entry, List, SortedSet, Str, Type};
use std::cmp::Ordering;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "sort", arity: -2, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS,
        acl: Acl::SET | Acl::SORTEDSET | Acl::LIST | Acl::DANGEROUS,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
            KeySpec::unknown().unknown_keys().flags(KeyFlags::RO | KeyFlags::ACCESS)
                .note("For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort"),
            KeySpec::unknown().unknown_keys().flags(KeyFlags::OW | KeyFlags::UPDATE)
                .note("For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array"),
        ],
        find_keys: Some(sort_keys),
        args: args![
            key("key"), pattern("by-pattern").display("pattern").spec(1).token("BY").optional(),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
            pattern("get-pattern").display("pattern").spec(1).token("GET").optional().multiple().multiple_token(),
            oneof("order", args![flag("ASC"), flag("DESC")]).optional(),
            token("sorting", "ALPHA").optional(), key("destination").spec(2).token("STORE").optional(),
        ],
        reply: "[bulk | nil] | int",
        doc: prose!("The elements of a list, set or sorted set in order; on request, stored as a list.", "O(N+M*log(M)), N the number of elements, M of those returned"),
        run: sort, ..BASE
    },
    Command {
        name: "sort_ro", arity: -2, group: Group::Generic, since: "7.0.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS,
        acl: Acl::SET | Acl::SORTEDSET | Acl::LIST | Acl::DANGEROUS,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
            KeySpec::unknown().unknown_keys().flags(KeyFlags::RO | KeyFlags::ACCESS)
                .note("For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort"),
        ],
        find_keys: Some(sort_ro_keys),
        args: args![
            key("key"), pattern("by-pattern").display("pattern").spec(1).token("BY").optional(),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
            pattern("get-pattern").display("pattern").spec(1).token("GET").optional().multiple().multiple_token(),
            oneof("order", args![flag("ASC"), flag("DESC")]).optional(),
            token("sorting", "ALPHA").optional(),
        ],
        reply: "[bulk | nil]",
        doc: prose!("The elements of a list, set or sorted set in order.", "O(N+M*log(M)), N the number of elements, M of those returned"),
        run: sort_ro, ..BASE
    },
];

fn sort(ctx: &mut Ctx) -> Result {
    sort_and_reply(ctx, true)
}

fn sort_ro(ctx: &mut Ctx) -> Result {
    sort_and_reply(ctx, false)
}

/// What a SORT asks for.
#[derive(Debug, Default)]
struct Request<'a> {
    by: Option<&'a [u8]>,
    /// How many to leave out in front, and how many to return (negative: all).
    limit: Option<(i64, i64)>,
    get: Vec<&'a [u8]>,
    is_descending: bool,
    is_alpha: bool,
    store: Option<&'a [u8]>,
    is_of_set: bool,
}

impl<'a> Request<'a> {
    fn parse(ctx: &Ctx<'a>, may_store: bool) -> core::result::Result<Request<'a>, Error> {
        let mut request = Request::default();
        let options = &mut ctx.options(2);
        while !options.is_done() {
            if options.take("ASC") {
                request.is_descending = false;
            } else if options.take("DESC") {
                request.is_descending = true;
            } else if options.take("ALPHA") {
                request.is_alpha = true;
            } else if options.left() > 2 && options.take("LIMIT") {
                request.limit = Some((options.integer()?, options.integer()?));
            } else if let Some(by) = options.take_value("BY") {
                request.by = Some(by);
                if !request.is_unsorted() && !may_read_all(ctx) {
                    return Err(Error::new(
                        "ERR BY option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
            } else if let Some(get) = options.take_value("GET") {
                if !may_read_all(ctx) {
                    return Err(Error::new(
                        "ERR GET option of SORT denied due to insufficient ACL permissions.",
                    ));
                }
                request.get.push(get);
            } else if may_store && let Some(store) = options.take_value("STORE") {
                request.store = Some(store);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(request)
    }

    /// A pattern to sort by that names the same key for every element asks for no order at all.
    fn is_unsorted(&self) -> bool {
        self.by.is_some_and(|by| !by.contains(&b'*'))
    }

    /// The part of `count` elements that is asked for.
    fn part(&self, count: usize) -> std::ops::Range<usize> {
        let (skip, take) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(skip.max(0))
            .unwrap_or(usize::MAX)
            .min(count);
        let take = usize::try_from(take).unwrap_or(usize::MAX);
        start..start.saturating_add(take).min(count)
    }
}

/// Whether the user may look at keys that only patterns name.
fn may_read_all(ctx: &Ctx) -> bool {
    let user = ctx.server.users.get(&ctx.session.user);
    let row = ctx.lookup.find(ctx.row.name.as_bytes());
    !ctx.session.is_restricted
        || user
            .zip(row)
            .is_some_and(|(user, row)| rules::may_read_all(user, row, ctx.args))
}

fn sort_and_reply(ctx: &mut Ctx, may_store: bool) -> Result {
    let mut request = Request::parse(ctx, may_store)?;
    let mut elements = Vec::new();
    let mut is_sorted_set = false;
    if let Some(entry) = ctx.keys.read(ctx.arg(1)) {
        request.is_of_set = entry.value_type() == Type::Set;
        is_sorted_set = entry.value_type() == Type::SortedSet;
        elements = elements_of(&entry)?;
    }
    if is_sorted_set {
        // Redis turns it into a skiplist to walk it, and OBJECT ENCODING tells.
        ctx.keys.edit(ctx.arg(1), |set: &mut SortedSet, limits| {
            set.unpack_all(limits);
            Ok((0, ()))
        })?;
    }
    // What is stored, or a script sees, must not depend on the order of a hash table.
    let is_kept = request.store.is_some() || ctx.session.is_scripting;
    if request.is_of_set && request.is_unsorted() && is_kept {
        request.by = None;
        request.is_alpha = true;
    }
    let results = sorted(ctx.keys, &mut elements, &request)?;
    match request.store {
        Some(destination) => store(ctx, destination, &results),
        None => {
            ctx.reply.array(results.len());
            for result in &results {
                match result {
                    Some(text) => ctx.reply.bulk(text),
                    None => ctx.reply.nil(),
                }
            }
            Ok(Outcome::Done)
        }
    }
}

/// The elements of a list, set or sorted set, in its order.
fn elements_of(entry: &Entry<'_>) -> core::result::Result<Vec<Vec<u8>>, Error> {
    let mut elements = Vec::new();
    let mut take = |element: Item<'_>| elements.push(element.to_vec());
    if let Some(list) = entry.list() {
        list.iter().for_each(take);
    } else if let Some(set) = entry.set() {
        set.walk(&mut |member| {
            take(member);
            true
        });
    } else if let Some(sorted_set) = entry.sorted_set() {
        sorted_set.iter().for_each(|(member, _)| take(member));
    } else {
        return Err(Error::WRONG_TYPE);
    }
    Ok(elements)
}

/// What is returned of the elements, in the order asked for.
fn sorted(
    keys: &mut Keyspace,
    elements: &mut Vec<Vec<u8>>,
    request: &Request<'_>,
) -> core::result::Result<Vec<Option<Vec<u8>>>, Error> {
    if !request.is_unsorted() {
        put_in_order(keys, elements, request)?;
    } else if request.is_descending && !request.is_of_set {
        elements.reverse();
    }
    let part = elements.get(request.part(elements.len()));
    let results = part.unwrap_or(&[]).iter();
    Ok(results
        .flat_map(|element| results_for(keys, element, &request.get))
        .collect())
}

/// What an element is compared by.
#[derive(Debug, Clone, PartialEq)]
enum Weight {
    Number(f64),
    /// None, where a pattern finds nothing, comes first.
    Text(Option<Vec<u8>>),
}

fn put_in_order(
    keys: &mut Keyspace,
    elements: &mut Vec<Vec<u8>>,
    request: &Request<'_>,
) -> core::result::Result<(), Error> {
    let mut weighed = Vec::with_capacity(elements.len());
    let mut are_numbers = true;
    for element in elements.drain(..) {
        let text = match request.by {
            Some(by) => find(keys, by, &element),
            None => Some(element.clone()),
        };
        let weight = match (request.is_alpha, text) {
            (true, text) => Weight::Text(text),
            (false, None) => Weight::Number(0.0),
            (false, Some(text)) => {
                let number = parse_weight(&text);
                are_numbers &= number.is_some();
                Weight::Number(number.unwrap_or(0.0))
            }
        };
        weighed.push((weight, element));
    }
    if !are_numbers {
        return Err(Error::new(
            "ERR One or more scores can't be converted into double",
        ));
    }
    let stores = request.store.is_some();
    let mut compare = |one: usize, other: usize| {
        let pair = weighed.get(one).zip(weighed.get(other));
        let order = pair.map_or(Ordering::Equal, |(one, other)| compare(one, other, stores));
        match request.is_descending {
            true => order.reverse(),
            false => order,
        }
    };
    let part = request.part(weighed.len());
    let is_part = request.by.is_some() && part.len() < weighed.len();
    let sorted = match is_part {
        true => order::part(weighed.len(), part, &mut compare),
        false => order::order(weighed.len(), &mut compare),
    };
    for place in sorted {
        if let Some((_, element)) = weighed.get_mut(place) {
            elements.push(core::mem::take(element));
        }
    }
    Ok(())
}

/// Numbers that are equal leave it to the elements themselves. Text is compared as C does, up to a zero byte, unless the
/// result is stored.
fn compare(one: &(Weight, Vec<u8>), other: &(Weight, Vec<u8>), stores: bool) -> Ordering {
    match (&one.0, &other.0) {
        (Weight::Number(a), Weight::Number(b)) => a
            .partial_cmp(b)
            .unwrap_or(Ordering::Equal)
            .then_with(|| one.1.cmp(&other.1)),
        (Weight::Text(Some(a)), Weight::Text(Some(b))) if !stores => {
            let up_to_zero = |text: &[u8]| {
                let zero = text.iter().position(|byte| *byte == 0);
                zero.unwrap_or(text.len())
            };
            a.get(..up_to_zero(a)).cmp(&b.get(..up_to_zero(b)))
        }
        (Weight::Text(a), Weight::Text(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}

/// A decimal number, infinity or what grows into it, up to a zero byte; nothing at all is zero.
fn parse_weight(text: &[u8]) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or(&[]);
    if text.is_empty() {
        return Some(0.0);
    }
    num::parse_decimal_f64(text)
}

/// What is returned for an element: itself, or what the GET patterns find.
fn results_for(keys: &mut Keyspace, element: &[u8], get: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    match get {
        [] => vec![Some(element.owned())],
        patterns => patterns
            .iter()
            .map(|pattern| find(keys, pattern, element))
            .collect(),
    }
}

/// The string at the key that `pattern` names for `element`. `#` is the element itself; with a `->` behind the `*` it is
/// the field of a hash that is meant, not the key.
fn find(keys: &mut Keyspace, pattern: &[u8], element: &[u8]) -> Option<Vec<u8>> {
    if pattern == b"#" {
        return Some(element.owned());
    }
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (before, after) = (pattern.get(..star)?, pattern.get(star + 1..)?);
    let arrow = after.windows(2).position(|pair| pair == b"->");
    let field = arrow
        .and_then(|arrow| after.get(arrow + 2..))
        .filter(|field| !field.is_empty());
    let after = match (field, arrow) {
        (Some(_), Some(arrow)) => after.get(..arrow)?,
        _ => after,
    };
    let key = [before, element, after].concat();
    let now_ms = keys.now_ms();
    let value = keys.read(&key)?;
    let Some(field) = field else {
        return value.string().map(Str::to_vec);
    };
    let found = value.hash()?.find(field)?;
    if found.is_due(now_ms) {
        keys.expire_field_aloud(&key, field);
        return None;
    }
    Some(found.value.to_vec())
}

/// Stores the results as a list; with none of them the destination is deleted.
fn store(ctx: &mut Ctx, destination: &[u8], results: &[Option<Vec<u8>>]) -> Result {
    if !results.is_empty() {
        let fill = ctx.keys.limits.list_fill().kept();
        let mut list = List::Linked(Box::new(Quicklist::new(fill)));
        for text in results {
            list.push(text.as_deref().unwrap_or(&[]), End::Right);
        }
        list.settle(&ctx.keys.limits);
        ctx.keys.store_value(destination, list);
        ctx.keys.notify(Class::LIST, "sortstore", destination);
    } else if ctx.keys.discard(destination) {
        ctx.keys.notify(Class::GENERIC, "del", destination);
    }
    ctx.reply.count(results.len());
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::hash::HashSeed;
    use crate::keyspace::Expiry;

    /// Sorts words, separated by spaces; `-` stands for nil. The expectations are a real server's answers.
    fn sort(words: &str, request: &Request<'_>) -> String {
        let mut keys = Keyspace::new(1, HashSeed::new(1, 2), 0);
        for pair in ["w_1=3", "w_2=1", "w_3=2", "w_x=abc", "o_1=one", "o_2=two"] {
            let (key, value) = pair.split_once('=').unwrap();
            keys.set_string(key.as_bytes(), value.as_bytes(), Expiry::Clear);
        }
        let mut elements = words
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        match sorted(&mut keys, &mut elements, request) {
            Ok(results) => {
                let words = results.into_iter().map(|result| {
                    result.map_or("-".to_owned(), |text| String::from_utf8(text).unwrap())
                });
                words.collect::<Vec<String>>().join(" ")
            }
            Err(error) => String::from_utf8(error.text().to_vec()).unwrap(),
        }
    }

    fn plain() -> Request<'static> {
        Request::default()
    }

    #[test]
    fn numbers_and_text() {
        let (is_alpha, is_descending) = (true, true);
        assert_eq!(sort("3 1 2 10", &plain()), "1 2 3 10");
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    is_descending,
                    ..plain()
                }
            ),
            "10 3 2 1"
        );
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    is_alpha,
                    ..plain()
                }
            ),
            "1 10 2 3"
        );
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    is_alpha,
                    is_descending,
                    ..plain()
                }
            ),
            "3 2 10 1"
        );
        assert_eq!(sort("1.0 1 01", &plain()), "01 1 1.0");
        assert_eq!(
            sort(
                "1.0 1 01",
                &Request {
                    is_descending,
                    ..plain()
                }
            ),
            "1.0 1 01"
        );
        assert_eq!(sort("inf -inf 0 1e400 5", &plain()), "-inf 0 5 1e400 inf");
    }

    #[test]
    fn what_is_a_number() {
        for word in [
            "",
            "inf",
            "+inf",
            "-Infinity",
            "+5",
            "1e-400",
            ".5",
            "5.",
            "1e+5",
            "00005",
            "5\0x",
        ] {
            assert_eq!(sort(word, &plain()), word);
        }
        for word in ["abc", ".", "-", "1e", "0x10", "nan", "1_0", "\t5", "1.5.5"] {
            assert_eq!(
                sort(word, &plain()),
                "ERR One or more scores can't be converted into double"
            );
        }
    }

    #[test]
    fn by_the_weight_of_other_keys() {
        let (is_alpha, is_descending) = (true, true);
        let by = Some(&b"w_*"[..]);
        assert_eq!(sort("3 1 2 10", &Request { by, ..plain() }), "10 2 3 1");
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    by,
                    is_descending,
                    ..plain()
                }
            ),
            "1 3 2 10"
        );
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    by,
                    is_alpha,
                    ..plain()
                }
            ),
            "10 2 3 1"
        );
        assert!(sort("x", &Request { by, ..plain() }).starts_with("ERR"));
        let by = Some(&b"w_*->f"[..]);
        assert_eq!(sort("x", &Request { by, ..plain() }), "x");
        let by = Some(&b"nosort"[..]);
        assert_eq!(sort("3 1 2 10", &Request { by, ..plain() }), "3 1 2 10");
        assert_eq!(
            sort(
                "3 1 2 10",
                &Request {
                    by,
                    is_descending,
                    ..plain()
                }
            ),
            "10 2 1 3"
        );
    }

    #[test]
    fn a_part_of_the_elements() {
        let parts = [
            ((1, 2), "2 3"),
            ((-5, 2), "1 2"),
            ((2, -1), "3 10"),
            ((10, 5), ""),
            ((0, 0), ""),
            ((0, i64::MAX), "1 2 3 10"),
            ((i64::MAX, i64::MAX), ""),
        ];
        for (limit, expected) in parts {
            let limit = Some(limit);
            assert_eq!(sort("3 1 2 10", &Request { limit, ..plain() }), expected);
        }
    }

    #[test]
    fn what_other_keys_hold() {
        let get = vec![&b"#"[..], b"o_*"];
        let request = Request { get, ..plain() };
        assert_eq!(sort("3 1 2 10", &request), "1 one 2 two 3 - 10 -");
        let get = vec![&b"o_*->f"[..], b"nostar", b"o_*->"];
        let request = Request { get, ..plain() };
        assert_eq!(sort("1", &request), "- - -");
    }
}
