"""Write what an Envoy is started with: the bootstrap that attaches it to a control plane, or one that stands alone.

Pure: a proxy and a few addresses go in, a message comes out. No file is read, no process started, no port picked. The bootstrap is built
once for each proxy and read by people, so it uses the validated dataclasses of ``envoy-data-plane``; they take more than a second to
import, which is why that happens inside the functions that need them. Served resources are the business of ``compiler``.
"""
