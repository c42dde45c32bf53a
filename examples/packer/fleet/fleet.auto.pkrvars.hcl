team = "ops"
