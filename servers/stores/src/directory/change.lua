-- Changes a user, if an epoch is given only at that one. Returns whether it did.
-- KEYS: the user    ARGV: epoch or nothing, then fields and their values
local user, epoch = KEYS[1], tonumber(ARGV[1])
local now = tonumber(redis.call('HGET', user, 'epoch') or 0)
if epoch and now ~= epoch then
  -- A call that is repeated because its response was lost finds what it wrote: password hashes are unique.
  local own = now == epoch + 1
  for i = 2, #ARGV, 2 do
    own = own and redis.call('HGET', user, ARGV[i]) == ARGV[i + 1]
  end
  return own and 1 or 0
end
-- At its memory limit Redis rejects the first write of a script if it needs memory, and none after one that does not: a
-- user can be disabled when nothing else can be stored.
redis.call('PERSIST', user)
redis.call('HINCRBY', user, 'epoch', 1)
for i = 2, #ARGV, 2 do
  redis.call('HSET', user, ARGV[i], ARGV[i + 1])
end
return 1
