"""The command line: flags, commands, the terminal."""
