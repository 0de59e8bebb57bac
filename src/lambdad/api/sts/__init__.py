"""Operations of the Security Token Service."""
