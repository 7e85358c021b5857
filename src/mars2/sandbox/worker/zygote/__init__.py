"""The process that candidates are forked from, and what makes its children cheap."""
