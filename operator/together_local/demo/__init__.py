"""The whole life of an endpoint on one machine, live: what a person sees before trusting it.

Nothing here is acted: a real API server, the real operator with the rights it has in a cluster, the
real kubectl, and a simulated Together, which is the only part that would have cost money.
"""
