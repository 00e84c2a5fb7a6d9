"""What the server answers, as typed values; one file for each noun."""
