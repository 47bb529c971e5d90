"""What has become of an object, in the words of its status: findings and acknowledgements in, conditions and patches out.

Pure: no I/O, no clock, no client of any API server; times come in as arguments. It knows no other object than the one it is asked about,
and nothing of how acknowledgements are counted: the control plane gathers them, ``kube`` writes the patches.
"""
