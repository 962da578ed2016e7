"""The inputs, and how they become commands: ids decoded, amounts in minor units, problems named field by field."""
