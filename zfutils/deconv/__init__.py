"""The deconvnet: activations with switches and the way back to pixels (Zeiler & Fergus 2013, §2.1), and the
strongest activations.
"""
