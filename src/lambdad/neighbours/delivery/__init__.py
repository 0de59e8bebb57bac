"""Deliveries that were promised: kept in the promising service's database until they are made."""
