"""What tests share: real processes with deadlines, and folders that are gone afterwards."""
