"""The structure of Istio's routing kinds (``networking.istio.io``, all served versions): one module per kind.

Types and one-ofs only; a rule about a value belongs to ``apis.validation``. Attribute names are the protobuf names of the fields, so the
camelCase of YAML and the snake_case that protobuf JSON also accepts both decode.
"""
