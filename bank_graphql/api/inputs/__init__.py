"""The inputs, and how they become commands: ids resolved, amounts in minor units, or refused field by field."""
