"""Config objects from a Kubernetes API server.

The routing kinds arrive by handlers of Kopf, which waits for their CRDs as well; the kinds that churn by list and watch on raw documents.
Both run in threads of their own and talk to the event loop of the control plane through the ``Bridge``, never otherwise. Only this package
imports ``kopf`` and ``kubernetes``, which take more than a second: nobody imports it who does not talk to an API server.

An API server that is away, slow or in trouble changes nothing for proxies: what is held stays until a list or an event says otherwise.
"""
