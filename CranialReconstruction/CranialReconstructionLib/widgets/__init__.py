"""What the modules' panels are made of: the only room that knows Qt."""
