"""Operations of the Lambda service, one module per resource."""
