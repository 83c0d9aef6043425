"""Chapter 1: the network and what its first layer answers to (Zeiler & Fergus 2013, §3 and §4.1, Figs. 3 and
6).
"""
