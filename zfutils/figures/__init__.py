"""Every figure of the book: one function a figure, data in, a matplotlib Figure out; one module a chapter."""
