"""The main job shown without a camera and a broker: a staged scene, a broker on loopback, a subscriber that prints."""
