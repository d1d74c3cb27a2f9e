-- Changes a user at the epoch in the first argument; the others are fields and their values. Returns whether it did.
if tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) ~= tonumber(ARGV[1]) then
    return 0
end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
for i = 2, #ARGV, 2 do
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return 1
