"""What-if: replay a recorded stream through the very same cores under several policies, side by side."""
