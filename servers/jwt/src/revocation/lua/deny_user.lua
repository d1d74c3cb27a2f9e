-- Denies every token of a user that was issued before.
-- KEYS: floor, last tick, epoch of the user, list of denials (optional)    ARGV: life_s, user
-- GETDEL, as in the other script. A repeated call takes a later tick, and denies what it denied before.
local old = redis.call('GETDEL', KEYS[3])
local epoch = tick()
redis.call('SET', KEYS[3], epoch, 'EX', ARGV[1])
if KEYS[4] then
  if old then
    redis.call('ZREM', KEYS[4], 'u ' .. ARGV[2] .. ' ' .. old)
  end
  publish(KEYS[4], 'u ' .. ARGV[2] .. ' ' .. epoch, ARGV[1])
end
return epoch
