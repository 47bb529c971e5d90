"""A steady load of HTTP requests through real Envoys, and the servers behind them, in a process of their own: its pace is not the control plane's.

``connections`` speaks HTTP/1.1 and counts, ``names`` answers DNS, ``process`` is the process with sockets and clock, ``handle`` starts it and gives it commands.
Nothing in the first three imports the control plane.
"""
