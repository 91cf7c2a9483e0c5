/** What the Lua view offers to begin with. */

export interface LuaExample {
	readonly title: string;
	/** For the tooltip. */
	readonly about: string;
	readonly source: string;
	/** What the fields hold, as they are typed. */
	readonly keys: string;
	readonly args: string;
}

export const LUA_EXAMPLES: readonly LuaExample[] = [
	{
		title: "Rate limit",
		about: "A sliding window: at most so many requests in the last seconds",
		keys: "rate:alice",
		args: "5 10",
		source: `-- At most ARGV[1] requests in the last ARGV[2] seconds.
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
if used >= limit then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {'wait', string.format('%.1f s', oldest[2] + window - now)}
end
redis.call('ZADD', KEYS[1], now, time[1] .. '.' .. time[2])
redis.call('EXPIRE', KEYS[1], window)
return {'go on', limit - used - 1 .. ' left'}
`,
	},
	{
		title: "Release a lock",
		about: "Delete a key only if it still holds the own token",
		keys: "lock:report",
		args: "token-1",
		source: `-- Only whoever took the lock may release it. Take it first, in the terminal:
-- SET lock:report token-1 NX PX 30000
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
`,
	},
	{
		title: "Leaderboard",
		about: "Count a game, and tell rank and neighbours in one step",
		keys: "scores games",
		args: "ada 50",
		source: `-- Adds points, counts the game, and tells where the player stands now.
local board, games = KEYS[1], KEYS[2]
local player, points = ARGV[1], tonumber(ARGV[2])

local score = redis.call('ZINCRBY', board, points, player)
local rank = redis.call('ZREVRANK', board, player)
return {
  'rank ' .. rank + 1 .. ' of ' .. redis.call('ZCARD', board),
  'score ' .. score,
  'game ' .. redis.call('HINCRBY', games, player, 1),
  redis.call('ZREVRANGE', board, math.max(0, rank - 1), rank + 1),
}
`,
	},
	{
		title: "Move a queue",
		about: "Move jobs that are due from a sorted set to a list",
		keys: "delayed ready",
		args: "2",
		source: `-- Jobs wait in a sorted set by the time they are due. Those that are go to a list.
if redis.call('EXISTS', KEYS[1]) == 0 then
  for i = 1, 5 do
    redis.call('ZADD', KEYS[1], i, cjson.encode({job = 'mail', to = 'user-' .. i}))
  end
end

local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
for _, job in ipairs(due) do
  redis.call('RPUSH', KEYS[2], job)
  redis.call('ZREM', KEYS[1], job)
end
redis.log(redis.LOG_NOTICE, #due .. ' moved')
return due
`,
	},
	{
		title: "A library",
		about: "Functions that stay: FUNCTION LOAD, then FCALL",
		keys: "cart:ada",
		args: "book 2",
		source: `#!lua name=cart

local function add(keys, args)
  redis.call('HINCRBY', keys[1], args[1], args[2] or 1)
  redis.call('EXPIRE', keys[1], 3600)
  return redis.call('HGETALL', keys[1])
end

local function total(keys)
  local sum = 0
  for _, count in ipairs(redis.call('HVALS', keys[1])) do sum = sum + count end
  return sum
end

redis.register_function('add_to_cart', add)
redis.register_function{
  function_name = 'cart_total',
  callback = total,
  flags = {'no-writes'},
}
`,
	},
	{
		title: "RESP3",
		about: "Doubles, maps and sets; press RESP3 above to see them as they are",
		keys: "",
		args: "",
		source: `redis.setresp(3)
redis.call('DEL', 'scores:demo')
redis.call('ZADD', 'scores:demo', 1.5, 'ada', 2.25, 'ken')
return {
  redis.call('ZSCORE', 'scores:demo', 'ada'),
  {map = {engine = 'Lua 5.1', bits = bit.bor(1, 4)}},
  {set = {a = true, b = true}},
  redis.pcall('NOSUCH'),
  {double = 0.1},
  true,
}
`,
	},
];
