"""Views of Istio's security policies: whom they select and what they ask for, which is all that is read of them.

Nothing of a policy is enforced rule by rule. What is read here decides which workloads are shut rather than left open (``model.security``).
"""
