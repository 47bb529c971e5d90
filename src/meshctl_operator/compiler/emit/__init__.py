"""Turn frozen Inputs into Envoy messages. Reads nothing but its argument: no registry, no clock, no settings.

If you need one more fact, add a field to the Input and fill it in ``plan``.
"""
