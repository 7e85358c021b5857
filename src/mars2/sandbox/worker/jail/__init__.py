"""What stands between a program and the host: namespaces, Landlock, seccomp, and the system calls that make them."""
