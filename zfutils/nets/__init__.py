"""Networks: their geometry, the paper's networks as data and as modules, and their filters (Zeiler & Fergus
2013, Fig. 3).
"""
