"""Chapter 6: what a network says while a patch slides over a picture (Zeiler & Fergus 2013, §4.2, Fig. 7)."""
