-- Begins a family and lists it under its user.
-- KEYS: family, list    ARGV: identity, user, auth_time, ends_at, hash of its first token, life_s, key in the list
local family, list = KEYS[1], KEYS[2]
local identity, user, auth_time, ends_at, token, life_s, member = unpack(ARGV)

-- First, because at its memory limit Redis rejects this if it is the first write, and then nothing has changed.
redis.call('HSET', family, 'identity', identity, 'user', user, 'auth_time', auth_time, 'ends_at', ends_at,
  'current', token, 'previous', '', 'rotated_at', auth_time)
redis.call('EXPIRE', family, life_s)
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', list, '-inf', now)
-- One second more than it can live, because the clock above is truncated to whole seconds.
redis.call('ZADD', list, now + life_s + 1, member)
if redis.call('TTL', list) < tonumber(life_s) then
  redis.call('EXPIRE', list, life_s)
end
