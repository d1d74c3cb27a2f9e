-- Denies a token, once.
-- KEYS: its mark, list of denials (optional)    ARGV: life_s, token id, number of this call
-- GETDEL, because at its memory limit Redis rejects the first write of a script if it needs memory, and none after one
-- that does not.
local marked, call = redis.call('GETDEL', KEYS[1]), ARGV[3]
redis.call('SET', KEYS[1], marked or call, 'EX', ARGV[1])
if marked then
  -- By this same call, whose response was lost, or by another.
  return marked == call and 1 or 0
end
if KEYS[2] then
  publish(KEYS[2], 't ' .. ARGV[2], ARGV[1])
end
return 1
