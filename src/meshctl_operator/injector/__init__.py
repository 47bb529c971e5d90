"""Put a sidecar (or a gateway's proxy) into pods: a pod and the settings of the installation in, the pod with its proxy out.

Pure: no API server is asked, no file read, nothing served; the command line and the webhook server do that. Pods are handled as plain JSON
values, because whatever Kubernetes may add to a pod has to come out as it went in. What an annotation means is decided in
``annotations``, what the pod gets in ``containers``; the proxy itself needs nothing but its bootstrap, which stands in its arguments, so
that the stock image of Envoy is all it takes.
"""
