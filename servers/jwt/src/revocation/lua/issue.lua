-- Returns the epoch of a token that is issued now.
-- KEYS: floor, last tick
return tick()
