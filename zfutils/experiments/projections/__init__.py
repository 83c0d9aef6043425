"""Chapter 3: what a unit sees (Zeiler & Fergus 2013, §2.1 and §4, Figs. 1 and 2)."""
