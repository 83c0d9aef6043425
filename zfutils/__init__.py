"""Visualizing and Understanding Convolutional Networks, reproduced."""
