"""The command line. Each group of commands has a module; `clearwindow.cli.main` puts them together."""
