"""What assets and sensors need from the world; each deployment says who provides it."""
