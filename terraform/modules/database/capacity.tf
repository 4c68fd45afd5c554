locals {
  # Memory of the instance classes on offer, GiB: https://aws.amazon.com/rds/instance-types/
  class_memory_gib = {
    "db.t4g.medium"   = 4
    "db.t4g.large"    = 8
    "db.t4g.xlarge"   = 16
    "db.m7g.large"    = 8
    "db.m7g.xlarge"   = 16
    "db.m7g.2xlarge"  = 32
    "db.r6g.large"    = 16
    "db.r6g.xlarge"   = 32
    "db.r6g.2xlarge"  = 64
    "db.r7g.large"    = 16
    "db.r7g.xlarge"   = 32
    "db.r7g.2xlarge"  = 64
    "db.r7g.4xlarge"  = 128
    "db.r8g.large"    = 16
    "db.r8g.xlarge"   = 32
    "db.r8g.2xlarge"  = 64
    "db.r8g.4xlarge"  = 128
    "db.r8g.8xlarge"  = 256
    "db.r8g.16xlarge" = 512
  }

  replica_class = try(coalesce(var.replica.instance_class, var.instance_class), null)

  instances = merge(
    { primary = { identifier = local.identifier, instance_class = var.instance_class, replica = false } },
    var.replica == null ? {} : {
      replica = { identifier = local.replica_identifier, instance_class = local.replica_class, replica = true }
    },
  )
}
