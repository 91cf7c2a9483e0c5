-- Runs the program in its argument and returns everything it returns as text. Programs can make globals, and have
-- P, a pcall whose results are a table.
local source = ...
if source == nil then source = ARGV[1] end
local environment = {}
for _, name in ipairs({
  'string', 'math', 'table', 'coroutine', 'xpcall', 'tostring', 'getfenv', 'setmetatable', 'next', 'assert', 'tonumber',
  'rawequal', 'collectgarbage', 'getmetatable', 'rawset', 'pcall', 'type', 'select', 'unpack', 'gcinfo', 'pairs',
  'rawget', 'loadstring', 'ipairs', '_VERSION', 'setfenv', 'load', 'error', 'newproxy', 'cjson', 'cmsgpack', 'bit', 'struct'
}) do environment[name] = _G[name] end
environment._G = environment
environment.P = function(...) local ok, a, b = pcall(...) return {ok, a, b} end
local function text(value, depth)
  local kind = type(value)
  if kind == 'string' then return string.format('%q', (value:gsub('0x%x+', '0x'))) end
  if kind == 'number' then return string.format('%.17g', value) end
  if kind == 'table' then
    if depth > 3 then return '{..}' end
    local out = {}
    for key, field in next, value do
      out[#out + 1] = text(key, depth + 1) .. '=' .. text(field, depth + 1)
      if #out > 60 then break end
    end
    return '{' .. table.concat(out, ',') .. '}'
  end
  if kind == 'function' or kind == 'userdata' or kind == 'thread' then return kind end
  return tostring(value)
end
local function all(...)
  local out = {}
  for place = 1, math.min(select('#', ...), 40) do out[place] = text((select(place, ...)), 0) end
  return select('#', ...) .. ' ' .. table.concat(out, ' ; ')
end
local program, message = loadstring(source, '@user_script')
if not program then return 'SYNTAX ' .. text(message, 0) end
setfenv(program, environment)
return all(pcall(program))
