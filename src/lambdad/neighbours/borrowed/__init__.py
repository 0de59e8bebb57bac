"""Services that tools call around functions, served by moto in a process of its own.

IAM, SSM, Secrets Manager, KMS, ECR and many more. `program` runs in that process and nowhere else.
"""
