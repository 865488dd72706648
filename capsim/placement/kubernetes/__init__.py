"""The Kubernetes scheduler: one file a plugin, kernels, and the words of its decisions."""
