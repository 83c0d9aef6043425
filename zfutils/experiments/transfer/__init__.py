"""Chapter 9: what the features are worth on other sets (Zeiler & Fergus 2013, §5.2 and §5.3, Tables 4 to 7,
Fig. 9).
"""
