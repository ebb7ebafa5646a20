-- From layout 1: dead letters are indexed by their reason, too, and the reason stands behind the version that a letter is
-- about. The letters' hashes are looked for, and taken one after the other; where it is, stands in KEYS[1], a hash.
local prefix = ARGV[1]
local list = prefix .. 'migration:letters'
local place = redis.call('HMGET', KEYS[1], 'searched', 'read')
local letters = redis.call('LINDEX', list, 0)
if letters then
    local base = string.sub(letters, 1, -2)
    local page = redis.call('HSCAN', letters, place[2] or '0', 'COUNT', 50)
    for at = 1, #page[2], 2 do
        local field = page[2][at]
        local reason = cjson.decode(page[2][at + 1]).failure.reason
        local number = redis.call('ZSCORE', base .. 'lo', field)
        local version = redis.call('HGET', base .. 'lv', field)
        if number and version and #version == 16 then
            redis.call('ZADD', base .. 'l:' .. reason, number, field)
            redis.call('HSET', base .. 'lv', field, version .. reason)
        end
    end
    if page[1] == '0' then
        redis.call('LPOP', list)
        redis.call('HDEL', KEYS[1], 'read')
    else
        redis.call('HSET', KEYS[1], 'read', page[1])
    end
    return 1
end
if place[1] == '0' then
    return 0
end
local found = redis.call('SCAN', place[1] or '0', 'MATCH', prefix .. 'p:*:l', 'COUNT', 1000)
for _, key in ipairs(found[2]) do
    if string.match(key, ':%d+:l$') then
        redis.call('RPUSH', list, key)
    end
end
redis.call('HSET', KEYS[1], 'searched', found[1])
return 1
