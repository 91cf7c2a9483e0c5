//! Random scripts: what they call are the commands of the other streams, what they return are odd values made of the replies.

use super::stream::{Args, Step, Writer};
use super::vocabulary::Dice;

/// Commands whose replies differ between two servers, or come in the order of a hash table, inside a script, where no
/// judge sees them by themselves.
const VARYING: &str = " ttl pttl expiretime pexpiretime httl hpttl hexpiretime hpexpiretime xpending xinfo srandmember \
    hrandfield zrandmember scan hscan sscan zscan keys sunion sdiff dump command randomkey spop xautoclaim xclaim pubsub sort \
    sort_ro ";
/// Those in the order of a hash table when sets and hashes may be some.
const UNORDERED: &str =
    " smembers hkeys hvals hgetall sinter lrange sdiffstore sunionstore sinterstore ";

/// Text as a literal of Lua.
fn literal(text: &[u8]) -> String {
    let mut out = String::from("'");
    for &byte in text {
        match byte {
            b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
            32..=126 => out.push(char::from(byte)),
            _ => out += &format!("\\{byte:03}"),
        }
    }
    out + "'"
}

/// Whether Lua writes the number as it stands here.
fn is_plain_number(text: &[u8]) -> bool {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let whole: Option<i64> = text.parse().ok();
    whole.is_some_and(|number| number.unsigned_abs() < 1 << 53 && number.to_string() == text)
        || matches!(text, "0.5" | "1.5" | "2.5" | "-1.5")
}

/// A number that is odd as an argument.
const NUMBERS: &str = "1e15|1e17|2^53|-0|1/0|0/0|0.1|1e100|-1/3|1e-7|2^63";

impl Writer<'_> {
    /// A script that calls random commands.
    pub fn script(&mut self, client: usize) {
        let mut lines = Vec::new();
        let mut values = Args::new();
        if self.dice.chance(30) {
            lines.push("redis.setresp(3)".to_string());
        }
        lines.push("local r = {}".to_string());
        for _ in 0..1 + self.dice.below(4) {
            for args in self.commands() {
                let call = self.call(&args, &mut values);
                lines.push(statement(&mut self.dice, &call));
            }
        }
        lines.push(result(&mut self.dice));
        let first = match self.dice.below(100) {
            0..4 => "#!lua\n",
            4..8 => "#!lua flags=no-writes\n",
            8..10 => "#!lua flags=allow-oom,no-cluster\n",
            _ => "",
        };
        let source = first.to_string() + &lines.join("\n");
        let name = self.dice.word("EVAL|EVAL|EVAL|EVAL|EVAL|EVAL_RO|eval");
        let mut args = vec![name, source.into_bytes(), b"0".to_vec()];
        args.extend(values);
        self.send(client, args);
    }

    /// A command as any stream has it, with those that make it meaningful before it.
    fn commands(&mut self) -> Vec<Args> {
        let (from, queueing) = (self.steps.len(), self.is_queueing);
        // A client of its own: the first, who does not wait.
        self.is_queueing[1] = true;
        self.any(1);
        self.is_queueing = queueing;
        let is_ordered = self.is_ordered;
        let steps = self.steps.drain(from..);
        let commands = steps.filter_map(|step| match step {
            Step::Send { args, .. } => Some(args),
            _ => None,
        });
        let varies = |args: &Args| {
            let name = String::from_utf8_lossy(&args[0]).to_lowercase();
            let word = format!(" {name} ");
            VARYING.contains(&word) || (!is_ordered && UNORDERED.contains(&word))
        };
        commands.filter(|args| !varies(args)).collect()
    }

    /// The arguments of a call as Lua writes them; some are arguments of the script.
    fn call(&mut self, args: &Args, values: &mut Args) -> String {
        let mut parts = Vec::new();
        // Its scores are to stay the same.
        let is_lexical = args.get(1).is_some_and(|key| key == b"lexical");
        for (at, arg) in args.iter().enumerate() {
            let dice = &mut self.dice;
            parts.push(match dice.below(100) {
                0..15 if at > 0 => {
                    values.push(arg.clone());
                    format!("ARGV[{}]", values.len())
                }
                15..55 if is_plain_number(arg) => String::from_utf8_lossy(arg).into_owned(),
                55..57 if at > 1 && !is_lexical => {
                    String::from_utf8_lossy(&dice.word(NUMBERS)).into_owned()
                }
                57 => dice
                    .pick(&["{}", "true", "nil", "redis", "'x' .. 1"])
                    .to_string(),
                _ => literal(arg),
            });
        }
        parts.join(", ")
    }
}

/// What a script does with a call.
fn statement(dice: &mut Dice, call: &str) -> String {
    match dice.below(12) {
        0 => format!("redis.call({call})"),
        1 => format!("redis.pcall({call})"),
        2 | 3 => format!("r[#r + 1] = redis.call({call})"),
        4 => format!("local ok, e = pcall(redis.call, {call}) r[#r + 1] = ok r[#r + 1] = e"),
        5 => format!("for i = 1, 2 do r[#r + 1] = redis.pcall({call}) end"),
        6 => format!(
            "local x = redis.pcall({call}) r[#r + 1] = type(x) if type(x) == 'table' then r[#r + 1] = #x for k, v in pairs(x) \
             do r[#r + 1] = k r[#r + 1] = type(v) end else r[#r + 1] = tostring(x) end"
        ),
        7 => format!("local x = {{redis.pcall({call})}} r[#r + 1] = #x r[#r + 1] = x"),
        8 => format!(
            "local x = redis.pcall({call}) if type(x) == 'table' and x.err then error(x) end"
        ),
        _ => format!("r[#r + 1] = redis.pcall({call})"),
    }
}

/// What a script ends with.
fn result(dice: &mut Dice) -> String {
    let ends = [
        "return r",
        "return r",
        "return r",
        "return r",
        "return r[1]",
        "return r[#r]",
        "return {r, #r, false, true, 1.9, -1.9, 'x'}",
        "return {map = {a = r, b = 1.5}}",
        "return {set = r}",
        "return {{double = 0.1}, {big_number = '12'}, {verbatim_string = {format = 'txt', string = 'x'}}, r}",
        "return {ok = tostring(#r)}",
        "return {err = tostring(#r) .. ' x'}",
        "return redis.error_reply(type(r[1]))",
        // A carriage return in what is thrown breaks the oracle's reply.
        "error(type(r[1]) == 'string' and r[1]:gsub('%c', '') or r[1])",
        "error({err = 'E ' .. #r})",
        "return cjson.encode({#r, type(r[1])})",
        "redis.call('select', 1) redis.call('incr', 'counter') return r",
        "r.x = 1 return r",
    ];
    dice.pick(&ends).to_string()
}
