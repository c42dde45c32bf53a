# An OMI from the newest image of an account that has such a name. In a folder with it:
#   ansible-playbook -i from-image.pkr.hcl bakehouse.images.build

variable "owner" {
  type        = string
  default     = "Outscale"
  description = "Alias or id of the account whose image is taken."
}

variable "source_name" {
  type    = string
  default = "Debian-12-*"
}

source "outscale-chroot" "web" {
  omi_name         = "web"
  omi_description  = "Made from {{.SourceOMIName}}"
  root_volume_size = 2

  source_omi_filter {
    filters = {
      image-name          = var.source_name
      architecture        = "x86_64"
      virtualization-type = "hvm"
    }
    owners      = [var.owner]
    most_recent = true
  }

  tags = {
    Source = "{{.SourceOMI}}"
    Team   = "web"
  }
  snapshot_tags = { Kind = "root" }

  root_volume_tags = { Purpose = "build in {{.BuildRegion}}" }
}

build {
  sources = ["source.outscale-chroot.web"]

  provisioner "shell" {
    inline = [
      "echo 'Welcome to web' > /etc/motd",
      "echo ${build.SourceOMIName} > /etc/made-from",
    ]
  }
}
