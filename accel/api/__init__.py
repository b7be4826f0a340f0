"""The REST API: a Pecan application that speaks the OpenStack accelerator API and our own additions."""
