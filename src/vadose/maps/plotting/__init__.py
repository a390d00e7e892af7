"""Pictures of finished maps."""
