"""Chapter 3: what a unit sees, and what a projection owes to it (Zeiler & Fergus 2013, §2.1 and §4, Figs. 1
and 2).
"""
