"""Values and decisions that every room uses: no input or output, and no import of another room."""
