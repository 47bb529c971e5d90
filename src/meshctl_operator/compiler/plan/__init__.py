"""Plan: tracked functions that read the model and return Inputs with their provenance. No protobuf here."""
