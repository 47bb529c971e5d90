"""A small, fast and honest control plane for Istio routing objects on stock Envoy."""

__version__ = "0.1.0"
