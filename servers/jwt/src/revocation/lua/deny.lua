-- Ends a token, once.
-- KEYS: its mark, list of denials (optional)    ARGV: life_s, token id
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then
  return 0
end
if KEYS[2] then
  tell(KEYS[2], 't ' .. ARGV[2], ARGV[1])
end
return 1
