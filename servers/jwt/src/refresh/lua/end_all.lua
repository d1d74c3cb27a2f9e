-- Deletes every family of a user's list, and the list.
-- KEYS: list    ARGV: prefix of the family keys
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  redis.call('DEL', ARGV[1] .. member)
end
redis.call('DEL', KEYS[1])
