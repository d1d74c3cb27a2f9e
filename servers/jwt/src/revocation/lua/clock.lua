-- The clock of this ledger, in microseconds: each tick is later than any before it, also where the clock of the host
-- was set back. A ledger without a floor has lost its data or is new: then the floor is this tick.
-- KEYS[1]: floor, KEYS[2]: the last tick
local function tick()
  local time = redis.call('TIME')
  local floor, last = unpack(redis.call('MGET', KEYS[1], KEYS[2]))
  local now = time[1] * 1000000 + time[2]
  now = math.max(now, (tonumber(floor or 0)) + 1, (tonumber(last or 0)) + 1)
  -- Lua would write 1.7e+15.
  local text = string.format('%.0f', now)
  redis.call('SET', KEYS[2], text)
  if not (floor and last) then
    redis.call('SET', KEYS[1], text)
  end
  return text
end
