"""The control plane's HTTP: the admin API, on a unix socket of mode 0600."""
