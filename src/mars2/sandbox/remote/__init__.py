"""What is sent to a remote service to run one test there."""
