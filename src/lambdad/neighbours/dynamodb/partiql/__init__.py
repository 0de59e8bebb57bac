"""PartiQL as DynamoDB has it: statements on one table, in the forms that expressions have."""
