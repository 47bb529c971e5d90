"""Where config objects come from: a directory of YAML that is watched, or memory.

A source decodes what it reads (``apis.decode``) and submits change sets to the control plane; it says where in a file a finding stands.
It derives nothing, keeps no opinion about what objects mean, and a broken document never costs the objects of another one.
"""
