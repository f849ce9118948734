"""Workstation side: explore FER-2013, train, quantize and prove the networks that the edge runs."""
