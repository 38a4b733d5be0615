"""`driftloop run`: one process between lines in and predictions out."""
