-- Replaces the presented token if it is current; otherwise deletes the family.
-- KEYS: family
-- ARGV: hash of the presented token, hash of its successor, now, grace_s, maximum tokens per generation,
--       prefix of the list keys, key in the list
-- 'current' and 'previous' are the hashes of the current generation and of the previous one.
local family = KEYS[1]
local presented, successor, now, grace_s, most, lists, member = unpack(ARGV)
local identity, user, auth_time, ends_at, current, previous, rotated_at = unpack(
  redis.call('HMGET', family, 'identity', 'user', 'auth_time', 'ends_at', 'current', 'previous', 'rotated_at'))
now, grace_s = tonumber(now), tonumber(grace_s)

local function refuse(why)
  redis.call('DEL', family)
  redis.call('ZREM', lists .. user, member)
  return { why }
end

local function has(generation, token)
  return string.find(generation, token, 1, true)
end

if not identity then
  return { 'gone' }
end
if now >= tonumber(ends_at) then
  return refuse('over')
end
if has(current, successor) then
  -- It was written by this same call, whose response was lost: nothing else has it.
  return { 'good', identity, auth_time, ends_at }
end
if has(current, presented) then
  redis.call('HSET', family, 'current', successor, 'previous', current, 'rotated_at', now)
  return { 'good', identity, auth_time, ends_at }
end
local _, blanks = string.gsub(current, ' ', '')
local in_grace = grace_s > 0 and now <= rotated_at + grace_s
if has(previous, presented) and in_grace and blanks + 1 < tonumber(most) then
  redis.call('HSET', family, 'current', current .. ' ' .. successor)
  return { 'good', identity, auth_time, ends_at }
end
return refuse('reused')
