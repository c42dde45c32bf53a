variable "stage" {
  type = string

  validation {
    condition     = contains(["test", "production"], var.stage)
    error_message = "The stage is test or production."
  }
}

variable "team" {
  type = string
}

variable "mappings" {
  type = map(string)
  default = {
    proc  = "/proc"
    sysfs = "/sys"
  }
}

locals {
  tags = {
    Stage = var.stage
    Team  = var.team
  }
}
