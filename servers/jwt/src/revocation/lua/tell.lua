-- Puts a denial on the list of those that still count, for whoever begins to listen, and tells whoever listens.
local function tell(list, denial, life_s)
  local now = tonumber(redis.call('TIME')[1])
  redis.call('ZREMRANGEBYSCORE', list, '-inf', now)
  -- One second more than it has to be known, because the clock above is cut to whole ones.
  redis.call('ZADD', list, now + life_s + 1, denial)
  if redis.call('TTL', list) <= tonumber(life_s) then
    redis.call('EXPIRE', list, life_s + 1)
  end
  redis.call('PUBLISH', list, life_s .. ' ' .. denial)
end
