"""What each command does, without a command line: every run can be started by a test without a terminal."""
