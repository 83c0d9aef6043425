"""What every figure shares: its style, and windows of pixels as tiles."""
