"""Container images on this machine: a registry on loopback, and base images made from what is here.

`registry` is Debian's docker-registry and the settings that lead buildah and skopeo to it, `base`
makes what a Dockerfile starts from, `unpack` is the pull of the data plane.
"""
