"""``make container``: the image of ``deploy/container``, started with podman as ``deploy/compose`` says."""
