"""The conformance kit: plays the network towards an exchange's endpoints, and tells what is not as it must be."""
