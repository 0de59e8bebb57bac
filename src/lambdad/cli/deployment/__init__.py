"""Deploying a project without its own tool: a SAM template, or a file of the Serverless Framework.

Both become one CloudFormation template whose code lies in S3; what a stack is and how it comes
about is the daemon's business.
"""
