"""The experiments, a room for each chapter; none imports another's."""
