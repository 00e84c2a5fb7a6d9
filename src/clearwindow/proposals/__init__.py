"""Acts of operators that wait until others approve them. Protocol §12."""
