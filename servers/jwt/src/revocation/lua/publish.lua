-- Adds a denial to the list of the current ones, for later snapshots, and publishes it to the subscribers.
local function publish(list, denial, life_s)
  local now = tonumber(redis.call('TIME')[1])
  redis.call('ZREMRANGEBYSCORE', list, '-inf', now)
  -- One second more than necessary, because the clock above is truncated to whole seconds.
  redis.call('ZADD', list, now + life_s + 1, denial)
  if redis.call('TTL', list) <= tonumber(life_s) then
    redis.call('EXPIRE', list, life_s + 1)
  end
  redis.call('PUBLISH', list, life_s .. ' ' .. denial)
end
