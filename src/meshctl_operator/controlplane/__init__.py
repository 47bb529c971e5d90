"""The only place that wires: sources -> registry -> engine -> compiler -> xDS, and what proxies say back to whoever listens.

It holds the clock, the tasks and the windows of batching, and no opinion about meshes: what is compiled from what is the business of
``model`` and ``compiler``. ``ControlPlane`` (module ``plane``) is the way in.
"""
