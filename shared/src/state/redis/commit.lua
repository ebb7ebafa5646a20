-- One commit: everything that a call changes, or nothing of it.
--
-- KEYS: the layout, the operation, then those that instructions name by their number. ARGV: our layout, seconds that
-- the operation is remembered, now in microseconds, then instructions: a letter with a fixed number of arguments each.
-- Expectations ('?') come first; after the last of them nothing can fail any more.
--
-- Answers: 'done', 'conflict', or the layout where it is not ours. What was answered to an operation once is answered
-- again, and nothing is done: a request that arrives twice, or late, changes nothing.

local layout = redis.call('GET', KEYS[1])
if layout and layout ~= ARGV[1] then
    return layout
end
local decided = redis.call('GET', KEYS[2])
if decided then
    return decided
end

local function decide(answer)
    redis.call('SET', KEYS[2], answer, 'EX', ARGV[2])
    return answer
end

local function key(at)
    return KEYS[tonumber(ARGV[at])]
end

local at = 4
while ARGV[at] == '?' do
    -- field of a hash, '' where it must not be there
    local found = redis.call('HGET', key(at + 1), ARGV[at + 2])
    if (found or '') ~= ARGV[at + 3] then
        return decide('conflict')
    end
    at = at + 4
end
if not layout then
    redis.call('SET', KEYS[1], ARGV[1])
end

local ENDS = { 'created', 'updated', 'unchanged', 'gone', 'superseded', 'dead' }

-- Runs whose places are counted here, by the number of their key: jobs enqueued, jobs ended. False where the run is
-- no longer in the history.
local runs = {}
local function run(at)
    local number = ARGV[at]
    if runs[number] == nil then
        local ledger = redis.call('HMGET', KEYS[tonumber(number)], 'enqueued', unpack(ENDS))
        if ledger[1] then
            local ended = 0
            for i = 2, #ledger do
                ended = ended + tonumber(ledger[i] or 0)
            end
            runs[number] = { enqueued = tonumber(ledger[1]), ended = ended, places = key(at + 1) }
        else
            runs[number] = false
        end
    end
    return runs[number]
end

local write = {
    -- field of a hash
    ['='] = function(at)
        redis.call('HSET', key(at), ARGV[at + 1], ARGV[at + 2])
        return 3
    end,
    ['!'] = function(at)
        redis.call('HSETNX', key(at), ARGV[at + 1], ARGV[at + 2])
        return 3
    end,
    ['-'] = function(at)
        redis.call('HDEL', key(at), ARGV[at + 1])
        return 2
    end,
    ['+'] = function(at)
        redis.call('HINCRBY', key(at), ARGV[at + 1], ARGV[at + 2])
        return 3
    end,
    -- member of an index
    ['i'] = function(at)
        redis.call('ZADD', key(at), ARGV[at + 1], ARGV[at + 2])
        return 3
    end,
    ['s'] = function(at)
        redis.call('SADD', key(at), ARGV[at + 1])
        return 2
    end,
    ['r'] = function(at)
        redis.call('ZREM', key(at), ARGV[at + 1])
        return 2
    end,
    -- member that becomes the newest of an index, by a counter in a hash
    ['n'] = function(at)
        local number = redis.call('HINCRBY', key(at + 1), ARGV[at + 2], 1)
        redis.call('ZADD', key(at), number, ARGV[at + 3])
        return 4
    end,
    -- the same in two indexes, under one number
    ['m'] = function(at)
        local number = redis.call('HINCRBY', key(at + 2), ARGV[at + 3], 1)
        redis.call('ZADD', key(at), number, ARGV[at + 4])
        redis.call('ZADD', key(at + 1), number, ARGV[at + 4])
        return 5
    end,
    -- the oldest of an index, and their fields of a hash, go until so many are left
    ['t'] = function(at)
        while redis.call('ZCARD', key(at)) > tonumber(ARGV[at + 2]) do
            local oldest = redis.call('ZPOPMIN', key(at))
            redis.call('HDEL', key(at + 1), oldest[1])
        end
        return 3
    end,
    ['u'] = function(at)
        redis.call('UNLINK', key(at))
        return 1
    end,
    -- the end of the job at a place of a run, counted once
    ['c'] = function(at)
        local ledger = run(at)
        local place = tonumber(ARGV[at + 2])
        -- A run that is counted to its end may have no places any more.
        if ledger and place < ledger.enqueued and ledger.ended < ledger.enqueued
            and redis.call('SETBIT', ledger.places, place, 1) == 0 then
            redis.call('HINCRBY', key(at), ARGV[at + 3], 1)
            ledger.ended = ledger.ended + 1
        end
        return 4
    end,
    -- whether a run is counted to its end is looked at below
    ['o'] = function(at)
        run(at)
        return 2
    end,
    -- nothing more will be heard of the jobs of a run
    ['x'] = function(at)
        local ledger = run(at)
        if ledger and ledger.ended < ledger.enqueued then
            redis.call('HINCRBY', key(at), 'superseded', ledger.enqueued - ledger.ended)
            ledger.ended = ledger.enqueued
        end
        return 2
    end,
}
while ARGV[at] do
    at = at + 1 + write[ARGV[at]](at + 1)
end

for number, ledger in pairs(runs) do
    if ledger and ledger.ended >= ledger.enqueued then
        local name = KEYS[tonumber(number)]
        local over = redis.call('HGET', name, 'over')
        if over then
            redis.call('UNLINK', ledger.places)
        end
        if over == 'complete' then
            redis.call('HSETNX', name, 'settled', ARGV[3])
        end
    end
end
return decide('done')
