"""Chapter 4: how features form while a network trains (Zeiler & Fergus 2013, §4, Fig. 4)."""
