"""The status of our objects in an API server: what proxies acknowledge, reduced to conditions and written by the elected leader.

``desk`` knows what every object says and should say, ``writer`` makes the requests, ``election`` decides who writes, ``replicas`` gathers what
the streams of other replicas say. ``service`` runs all of it beside the control plane, which nothing here ever holds up: a status that cannot
be written is written later. What conditions mean is the business of the package ``status``.
"""
