"""The current set of config objects, filed under the cells by which the rest reads them.

``Registry.apply`` turns a ChangeSet into a new immutable snapshot and the set of cells that may read differently now. It derives
nothing: what a service or a route table is, is the business of ``model``.
"""
