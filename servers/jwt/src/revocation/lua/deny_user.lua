-- Ends every token of a user that was issued before.
-- KEYS: floor, last tick, epoch of the user, list of denials (optional)    ARGV: life_s, user
local epoch, old = tick(), redis.call('GET', KEYS[3])
redis.call('SET', KEYS[3], epoch, 'EX', ARGV[1])
if KEYS[4] then
  if old then
    redis.call('ZREM', KEYS[4], 'u ' .. ARGV[2] .. ' ' .. old)
  end
  tell(KEYS[4], 'u ' .. ARGV[2] .. ' ' .. epoch, ARGV[1])
end
return epoch
