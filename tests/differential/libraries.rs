//! Random function libraries: most of them good, some with something wrong in the first line, in what is registered, or
//! in the Lua.

use super::vocabulary::Dice;

/// What functions do. None of it depends on the time, on chance, or on the order in a hash table.
const BODIES: [&str; 24] = [
    "return 1",
    "return {keys, args}",
    "return {#keys, args[1], 3.7, true, false}",
    "return redis.call('SET', keys[1] or 's1', args[1] or 'v')",
    "return redis.call('GET', keys[1] or 's1')",
    "return redis.pcall('INCR', keys[1] or 's2')",
    "return redis.call('INCR', keys[1] or 's2')",
    "redis.call('RPUSH', keys[1] or 'l1', 'a', args[1] or 'b') return redis.call('LRANGE', keys[1] or 'l1', 0, -1)",
    "redis.setresp(3) return redis.call('ZSCORE', 'z1', 'a')",
    "redis.call('ZADD', keys[1] or 'z1', 1.5, 'a') redis.setresp(3) return redis.call('ZRANGE', keys[1] or 'z1', 0, -1, 'WITHSCORES')",
    "error('x')",
    "error({err='MY error'})",
    "redis.call('SET', 's1', 1) error('late')",
    "x = 1",
    "return y",
    "return KEYS",
    "n = n + 1 return n",
    "local ok, e = pcall(redis.call, 'LPOP', 's1', 'x') return {tostring(ok), tostring(e)}",
    "return redis.status_reply(args[1] or 'fine')",
    "return redis.error_reply(args[1] or 'bad thing')",
    "return redis.call('SELECT', 1)",
    "redis.call('SELECT', 1) redis.call('SET', 's1', 'in 1') return redis.call('GET', 's1')",
    "return redis.call(args[1] or 'PING')",
    "return cjson.encode({keys, args})",
];

const FLAGS: &str = "'no-writes'|'allow-oom'|'allow-stale'|'no-cluster'|'allow-cross-slot-keys'|'no-writes','allow-oom'|\
    'NO-WRITES'|";
const BAD_FLAGS: &str = "'nosuch'|1|{}|'no-writes',''";

/// A library's source.
pub fn source(dice: &mut Dice) -> Vec<u8> {
    let mut text = header(dice);
    if dice.chance(4) {
        return text.into_bytes();
    }
    text.push_str("\nlocal n = 0\n");
    // Names that differ in case only would bring the server down, later.
    let mut names = match () {
        () if dice.chance(15) => vec!["f", "h", "i", "k"],
        () if text.contains('1') => vec!["f", "g", "h"],
        () if text.contains('2') => vec!["i", "j", "k"],
        () => vec!["l", "m", "n"],
    };
    let count = match dice.chance(5) {
        true => 0,
        false => 1 + dice.below(3),
    };
    for _ in 0..count {
        let name = names.swap_remove(dice.below(names.len()));
        text.push_str(&registration(dice, name));
        text.push('\n');
    }
    if dice.chance(6) {
        let wrong = "error('x')|x = 1|redis.call('PING')|redis.log(1)|redis.register_function()|)|local t = redis.nosuch|\
            redis.register_function('f', 1)|redis.register_function(1, redis.log)|redis.register_function('a-b', redis.log)";
        text.push_str(&word(dice, wrong));
    }
    text.into_bytes()
}

fn word(dice: &mut Dice, words: &str) -> String {
    String::from_utf8_lossy(&dice.word(words)).into_owned()
}

fn header(dice: &mut Dice) -> String {
    if dice.chance(8) {
        return word(
            dice,
            "#!lua|#!lua name=|#!js name=lib1|#!lua name=a-b|#!lua name=lib1 name=lib2|#!lua x=y name=lib1|#!|x||#!lua name=\"lib1|\
             # !lua name=lib1|#!lua  name=lib1 extra",
        );
    }
    word(
        dice,
        "#!lua name=lib1|#!lua name=lib2|#!lua name=lib3|#!LUA NAME=LIB1|#!lua   name='lib2'  |#!lua name=\"lib1\"",
    )
}

fn registration(dice: &mut Dice, name: &str) -> String {
    let name = match dice.chance(20) {
        true => name.to_uppercase(),
        false => name.to_string(),
    };
    let body = BODIES[dice.below(BODIES.len())];
    if dice.chance(50) {
        return format!("redis.register_function('{name}', function(keys, args)\n {body}\nend)");
    }
    let mut text = format!(
        "redis.register_function{{function_name='{name}', callback=function(keys, args)\n {body}\nend"
    );
    if dice.chance(60) {
        let flags = match dice.chance(4) {
            true => BAD_FLAGS,
            false => FLAGS,
        };
        text.push_str(&format!(", flags={{{}}}", word(dice, flags)));
    }
    if dice.chance(40) {
        let descriptions = "'what it does'|'what it does'|'what it does'|'long'|''|1.5|nil|nil|{}";
        text.push_str(&format!(", description={}", word(dice, descriptions)));
    }
    if dice.chance(3) {
        text.push_str(", nosuch=1");
    }
    text + "}"
}
