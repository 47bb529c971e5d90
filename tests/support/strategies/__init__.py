"""Strategies of hypothesis for config objects as raw documents, out of small alphabets so that the objects of one mesh meet each other.

Strategies give what a user could have written, mostly valid; whether it is accepted is decided by ``decode`` alone.
"""
