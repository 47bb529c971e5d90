"""Turn the model into Envoy messages: ``plan`` reads the tracked model and returns frozen Inputs, ``emit`` turns an Input into bytes.

An Input holds exactly the facts that its message needs; it is the cache key, so an undeclared input cannot exist. Nothing here raises on
user input: what cannot be compiled is left out and reported, the rest ships. No I/O, no clock, no randomness.
"""
