"""What runs inside the jail: compiling a program, running it, and running a problem's checker."""
