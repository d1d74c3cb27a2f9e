-- Adds a session and lists it under its user; if an old one is given, replaces it or fails.
-- KEYS: session, list, old session (optional)
-- ARGV: payload, ttl_s, listed_s, key in the list, old key in the list (optional)
local session, list, old = KEYS[1], KEYS[2], KEYS[3]
local payload, ttl_s, listed_s, member, old_member = unpack(ARGV)

if old and redis.call('EXISTS', old) == 0 then
  -- Gone, or replaced by this same call, whose response was lost: nothing else writes this session.
  return redis.call('EXISTS', session)
end
-- First, because at its memory limit Redis rejects this if it is the first write, and then nothing has changed.
redis.call('SET', session, payload, 'EX', ttl_s)
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', list, '-inf', now)
-- One second more than it can live, because the clock above is truncated to whole seconds.
redis.call('ZADD', list, now + listed_s + 1, member)
if redis.call('TTL', list) < tonumber(listed_s) then
  redis.call('EXPIRE', list, listed_s)
end
if old then
  redis.call('DEL', old)
  redis.call('ZREM', list, old_member)
end
return 1
