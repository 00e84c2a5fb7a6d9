"""The answers of the server as typed values, one file for each subject."""
