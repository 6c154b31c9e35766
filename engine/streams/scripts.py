"""What is done in one step inside Redis, as Lua; the protocols around it are described in `activations` and `buckets`.

The one rule: a script uses commands of Redis 6.2, and keeps nothing that its callers could not lose.
"""

from typing import Final

TAKE: Final = """
-- KEYS: door, lanes, turn. ARGV: group, consumer, how many, prefix of lanes' streams.
-- Returns {the lanes, {{lane, id, fields}, ...}}; an error if the door's group is gone.
local group, consumer, left, prefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local rings = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', 100, 'STREAMS', KEYS[1], '>')
if rings and rings.err then return rings end
if rings then
    local ids = {}
    for _, entry in ipairs(rings[1][2]) do ids[#ids + 1] = entry[1] end
    redis.call('XACK', KEYS[1], group, unpack(ids))
    redis.call('XDEL', KEYS[1], unpack(ids))
end

local lanes = redis.call('SMEMBERS', KEYS[2])
local lanes_of, workspaces = {}, {}
for _, lane in ipairs(lanes) do
    local workspace = string.sub(lane, 3)
    if not lanes_of[workspace] then
        lanes_of[workspace] = {}
        workspaces[#workspaces + 1] = workspace
    end
    table.insert(lanes_of[workspace], lane)
end
table.sort(workspaces)

-- Those behind the one that was served last come first.
local last = redis.call('GET', KEYS[3]) or ''
local hungry = {}
for _, workspace in ipairs(workspaces) do if workspace > last then table.insert(hungry, workspace) end end
for _, workspace in ipairs(workspaces) do if workspace <= last then table.insert(hungry, workspace) end end

local function read(lane, count)
    local stream = prefix .. lane
    local reply = redis.pcall('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
    if reply and reply.err then
        redis.call('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
        reply = redis.call('XREADGROUP', 'GROUP', group, consumer, 'COUNT', count, 'STREAMS', stream, '>')
    end
    return reply and reply[1][2] or {}
end

local taken = {}
while left > 0 and #hungry > 0 do
    local share = math.max(1, math.floor(left / #hungry))
    local still = {}
    for _, workspace in ipairs(hungry) do
        local wanted = math.min(share, left)
        table.sort(lanes_of[workspace], function(one, other) return one > other end)
        for _, lane in ipairs(lanes_of[workspace]) do
            if wanted == 0 then break end
            for _, entry in ipairs(read(lane, wanted)) do
                taken[#taken + 1] = {lane, entry[1], entry[2]}
                wanted, left, last = wanted - 1, left - 1, workspace
            end
        end
        if wanted == 0 then still[#still + 1] = workspace end
        if left == 0 then break end
    end
    hungry = still
end
if #taken > 0 then redis.call('SET', KEYS[3], last) end
return {lanes, taken}
"""

LOOK: Final = """
-- KEYS: lanes. ARGV: group, prefix of lanes' streams. Returns {{lane, length, pending}, ...} and changes nothing.
local found = {}
for _, lane in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local pending = redis.pcall('XPENDING', ARGV[2] .. lane, ARGV[1])
    table.insert(found, {lane, redis.call('XLEN', ARGV[2] .. lane), pending.err and 0 or pending[1]})
end
return found
"""

TIDY: Final = """
-- KEYS: door, lanes. ARGV: group, prefix of lanes' streams, idle ms. Takes away lanes that are empty, and consumers
-- that are idle and hold nothing. Returns the consumers' names; an error if the door's group is gone.
local group, prefix = ARGV[1], ARGV[2]
local function consumers(stream)
    local found = redis.pcall('XINFO', 'CONSUMERS', stream, group)
    if found.err then return {}, found end
    local each = {}
    for _, flat in ipairs(found) do
        local consumer = {}
        for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
        each[#each + 1] = consumer
    end
    return each, nil
end

local at_door, lost = consumers(KEYS[1])
if lost then return lost end
local streams, found = {KEYS[1]}, {at_door}
for _, lane in ipairs(redis.call('SMEMBERS', KEYS[2])) do
    local stream = prefix .. lane
    streams[#streams + 1] = stream
    found[#found + 1] = consumers(stream)
    if redis.call('XLEN', stream) == 0 then
        redis.call('DEL', stream)
        redis.call('SREM', KEYS[2], lane)
    end
end
local stays, names = {}, {}
for _, each in ipairs(found) do
    for _, consumer in ipairs(each) do
        if consumer.pending > 0 or consumer.idle < tonumber(ARGV[3]) then stays[consumer.name] = true end
    end
end
for i, each in ipairs(found) do
    for _, consumer in ipairs(each) do
        if not stays[consumer.name] then
            -- Refused where the lane is gone by now.
            redis.pcall('XGROUP', 'DELCONSUMER', streams[i], group, consumer.name)
            names[consumer.name] = true
        end
    end
end
local gone = {}
for name in pairs(names) do gone[#gone + 1] = name end
table.sort(gone)
return gone
"""

TAKE_TOKENS: Final = """
-- KEYS: since, the buckets. ARGV: what the caller saw as since ('' nothing yet, 'away'), for each bucket its tokens per
-- ms and its burst, for each request its rank, how many buckets, and of each its number and the tokens. Returns
-- {since, wait in ms, ...}.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local GRACE, KEPT = 250, 60000

local since = redis.call('GET', KEYS[1])
if ARGV[1] == 'away' or (not since and ARGV[1] ~= '') then since = now end
since = tonumber(since or 0)
redis.call('SET', KEYS[1], string.format('%d', since))

local buckets = {}
for i = 2, #KEYS do
    local rate, burst = tonumber(ARGV[i * 2 - 2]), tonumber(ARGV[i * 2 - 1])
    local held = redis.call('HMGET', KEYS[i], 'tokens', 'at', 'closed', 'rank', 'claim')
    local tokens, at = tonumber(held[1] or 0), tonumber(held[2] or 0)
    if at <= since then tokens, at = 0, since end
    if at == 0 then tokens = burst end
    buckets[i - 1] = {
        key = KEYS[i], rate = rate, burst = burst, tokens = math.min(burst, tokens + (now - at) * rate),
        closed = tonumber(held[3] or 0), rank = tonumber(held[4] or 0), claim = tonumber(held[5] or 0),
    }
end

local function shortage(bucket, amount)
    local missing = math.ceil((amount - 1e-9 - bucket.tokens) / bucket.rate)
    return math.max(0, missing, bucket.closed - now)
end

local answers, word = {string.format('%d', since)}, #KEYS * 2
while word <= #ARGV do
    local rank, count = tonumber(ARGV[word]), tonumber(ARGV[word + 1])
    local wanted, amounts, wait = {}, {}, 0
    for i = 1, count do
        local bucket, amount = buckets[tonumber(ARGV[word + i * 2])], tonumber(ARGV[word + 1 + i * 2])
        wanted[i], amounts[i] = bucket, amount
        wait = math.max(wait, shortage(bucket, amount))
        if bucket.rank < rank then wait = math.max(wait, bucket.claim - now) end
    end
    for i, bucket in ipairs(wanted) do
        local short = shortage(bucket, amounts[i])
        if wait == 0 then
            bucket.tokens = bucket.tokens - amounts[i]
            if rank <= bucket.rank then bucket.claim = 0 end
        elseif short > 0 and (rank <= bucket.rank or bucket.claim <= now) then
            bucket.rank, bucket.claim = rank, now + short + GRACE
        end
    end
    answers[#answers + 1] = wait
    word = word + 2 + count * 2
end

for _, bucket in ipairs(buckets) do
    redis.call('HSET', bucket.key, 'tokens', bucket.tokens, 'at', string.format('%d', now), 'closed', bucket.closed,
        'rank', bucket.rank, 'claim', bucket.claim)
    local full = math.ceil((bucket.burst - bucket.tokens) / bucket.rate)
    redis.call('PEXPIRE', bucket.key, math.max(full, bucket.closed - now, 0) + KEPT)
end
return answers
"""

CLOSE_BUCKET: Final = """
-- KEYS: bucket. ARGV: for how many ms.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local closed = math.max(now + ARGV[1], tonumber(redis.call('HGET', KEYS[1], 'closed') or 0))
redis.call('HSET', KEYS[1], 'closed', string.format('%d', closed))
redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[1]), closed - now + 60000))
return 1
"""
