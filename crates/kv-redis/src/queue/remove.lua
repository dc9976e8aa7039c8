-- Removes what is stored of a partition, or a queue's description. KEYS: what.
redis.call('UNLINK', unpack(KEYS))
return 1
