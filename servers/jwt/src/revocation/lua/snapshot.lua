-- Returns the floor, created where there is none; the clock in seconds; and the current denials, each with its expiry.
-- KEYS: floor, last tick, list of denials
if redis.call('EXISTS', KEYS[1], KEYS[2]) < 2 then
  tick()
end
local now = redis.call('TIME')[1]
return { redis.call('GET', KEYS[1]), now, redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. now, '+inf', 'WITHSCORES') }
