"""One module per HTTP filter: its entry in the filter chain, and its per-route configuration. The order is in ``compiler.ordering``."""
