variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string

  validation {
    condition     = length(var.name) <= 63
    error_message = "Bucket name \"${var.name}\" is longer than the 63 characters S3 allows: choose a shorter environment name."
  }
}

variable "arn" {
  description = "ARN of the bucket, built from its name: known at plan."
  type        = string
}

variable "key" {
  description = "KMS key of the objects, or null for the key of S3. An object, so that a plan knows whether there is a key before AWS has made it."
  type = object({
    arn = string
  })
  default = null
}

variable "force_destroy" {
  description = "Whether destroying the bucket deletes its objects with it."
  type        = bool
}

variable "noncurrent_version_days" {
  description = "Days that an overwritten or deleted object can be had back."
  type        = number
}

variable "expire_after_days" {
  description = "Days after which objects are deleted, or null for never."
  type        = number
  default     = null
}

variable "intelligent_tiering" {
  description = "Whether objects move to cheaper storage when nobody reads them; costs 0.0025 USD a month for 1,000 objects over 128 KiB."
  type        = bool
  default     = false
}

variable "log_bucket" {
  description = "Bucket that receives the access log, or null for none."
  type        = string
  default     = null
}

variable "policy_statements" {
  description = "Statements of the bucket policy beyond the refusal of unencrypted transport."
  type        = any
  default     = []
}
