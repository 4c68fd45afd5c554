"""The sandbox's AWS: Moto's server with the behaviour that the Terraform AWS provider relies on.

Each module patches one service when it is imported; `__main__` imports them all and serves. A patch
says which behaviour of the real API it restores. The parts that a deployment really talks to (the
Kubernetes API behind EKS, PostgreSQL behind RDS) are made by the supervisor: see `control`.
"""
