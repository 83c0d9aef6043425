"""Chapter 5: how features move when the picture moves (Zeiler & Fergus 2013, §4, Fig. 5)."""
