"""Chapter 7: whether a network treats the same part of different faces alike (Zeiler & Fergus 2013, §4.3,
Fig. 8, Table 1).
"""
