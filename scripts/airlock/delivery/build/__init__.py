"""Building a service's image: order, checks, engines, and the push; the scan is its caller's."""
