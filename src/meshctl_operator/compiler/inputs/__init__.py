"""Frozen Inputs: the facts that one Envoy message is made of, comparable and hashable. No behaviour, no protobuf."""
