"""Demo without camera and broker: the daemon on a staged scene, a broker on loopback, a subscriber."""
